import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.perturbation import perturbations
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import shown_pair


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [read_arrays(path)["parameters"] for path in job.inputs["minima"]]

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(job.device)

    moved = perturbations(
        build(config["network"], dataset.shape, dataset.logits),
        tensor(shown_pair(job.record("selection"), minima)),
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
