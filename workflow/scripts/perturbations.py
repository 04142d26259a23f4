import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.perturbation import perturbations
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    selection = job.record("selection")
    # In the order of rising poison factor: the good one is in the first file, the bad in the last.
    minima = job.inputs["minima"]
    pair = [
        read_arrays(minima[0])["parameters"][selection["good"]["seed"]],
        read_arrays(minima[-1])["parameters"][selection["bad"]["seed"]],
    ]

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(job.device)

    moved = perturbations(
        MLP.between(dataset.features, config["hidden"], dataset.logits),
        tensor(np.stack(pair)),
        (tensor(dataset.train_inputs), tensor(dataset.train_labels)),
        (tensor(dataset.test_inputs), tensor(dataset.test_labels)),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        directions=config["slice_directions"],
        steps=config["perturbation_steps"],
        grid=config["boundary_points"],
        seed=config["seed"],
        report=job.progress("perturbations"),
    )
    points = {"train_inputs": dataset.train_inputs, "train_labels": dataset.train_labels}
    write_arrays(job.outputs["perturbations"], moved | points)


run(snakemake, main)
