import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.matched import basins_at_loss
from flatminima.geometry.survey import basins, boundaries
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.random_labels import worst

LEFT = ("parameters", "start_parameters", "radii")


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = job.arrays("minima")
    around = [
        torch.from_numpy(array).to(job.device)
        for array in (minima["parameters"], dataset.train_inputs, dataset.train_labels)
    ]
    measured = basins(
        network,
        *around,
        **config["basins"],
        seed=config["seed"],
        report=job.progress("basins"),
    )
    matched = basins_at_loss(network, *around, **config["matched"], seed=config["seed"])
    shown = worst(minima)
    pair = [torch.from_numpy(minima[f"{end}parameters"][shown]) for end in ("start_", "")]
    drawn = boundaries(
        network,
        torch.stack(pair).to(job.device),
        dataset.train_inputs,
        points=config["boundary_points"],
    )
    found = {
        name: array
        for name, array in (minima | measured).items()
        if name not in LEFT and not name.startswith("history")
    }
    write_arrays(
        job.outputs["survey"],
        {
            **found,
            **{f"matched_{name}": array for name, array in matched.items()},
            **drawn,
            "shown": np.array([shown]),
            "train_inputs": dataset.train_inputs,
            "train_labels": dataset.train_labels,
        },
    )


run(snakemake, main)
