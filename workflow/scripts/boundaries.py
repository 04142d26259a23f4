import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import boundaries
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import described, shown_pair, shown_row


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    selection = job.record("selection")
    minima = [read_arrays(path)["parameters"] for path in job.inputs["minima"]]
    shown = np.concatenate([shown_pair(selection, minima), shown_row(selection, minima)])
    drawn = boundaries(
        build(config["network"], dataset.shape, dataset.logits),
        torch.from_numpy(shown).to(job.device),
        dataset.train_inputs,
        points=config["boundary_points"],
    )
    good, bad, probability = np.split(drawn.pop("probability"), [1, 2])
    write_arrays(
        job.outputs["boundaries"],
        {
            **drawn,
            **described(selection["row"]),
            "good_probability": good[0],
            "bad_probability": bad[0],
            "probability": probability,
            "train_inputs": dataset.train_inputs,
            "train_labels": dataset.train_labels,
        },
    )


run(snakemake, main)
