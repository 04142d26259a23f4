import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import rays
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
    # The good minimum, then one of every poison factor; of the largest, the bad minimum.
    good, bad = shown_pair(selection, minima)
    shown = np.stack([good, *shown_row(selection, minima)[:-1], bad])
    entries = [selection["good"], *selection["row"][:-1], selection["bad"]]
    network = build(config["network"], dataset.shape, dataset.logits)
    tensors = (shown, dataset.train_inputs, dataset.train_labels)
    followed = rays(
        network,
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        points=config["slice_points"],
        seed=config["seed"],
    )
    more = {"widths": np.array(network.widths), "parameters": shown}
    write_arrays(job.outputs["rays"], followed | described(entries) | more)


run(snakemake, main)
