import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import margin_widths
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = [read_arrays(path) for path in job.inputs["minima"]]
    report = job.progress("margins")
    widths = []
    for number, part in enumerate(minima):
        widths.append(
            margin_widths(
                network,
                torch.from_numpy(part["parameters"]).to(job.device),
                dataset.train_inputs,
                dataset.train_labels,
                points=config["margin_points"],
            )
        )
        report(number + 1, len(minima), "poison factors")
    write_arrays(
        job.outputs["margins"],
        {
            "spacing": widths[0]["spacing"],
            **{
                name: np.stack([part[name] for part in widths]) for name in ("margin", "unresolved")
            },
            "poison_factor": np.asarray(config["poison_factors"], dtype=np.float64),
            **{
                name: np.stack([part[name] for part in minima])
                for name in ("train_accuracy", "test_accuracy", "converged")
            },
        },
    )


run(snakemake, main)
