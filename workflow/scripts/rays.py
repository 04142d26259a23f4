import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import rays
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    selection = job.record("selection")
    minima = [read_arrays(path)["parameters"] for path in job.inputs["minima"]]
    # The good minimum, then one of every poison factor; of the largest, the bad minimum.
    row = [*selection["row"][:-1], selection["bad"]]
    shown = [minima[0][selection["good"]["seed"]]]
    shown += [part[entry["seed"]] for part, entry in zip(minima, row, strict=True)]
    network = MLP.between(dataset.features, config["hidden"], dataset.logits)
    tensors = (np.stack(shown), dataset.train_inputs, dataset.train_labels)
    followed = rays(
        network,
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        points=config["slice_points"],
        seed=config["seed"],
    )
    told = {
        name: np.array([entry[key] for entry in (selection["good"], *row)])
        for name, key in (
            ("poison_factor", "poison"),
            ("train_accuracy", "train_accuracy"),
            ("test_accuracy", "test_accuracy"),
        )
    }
    write_arrays(
        job.outputs["rays"],
        {**followed, **told, "widths": np.array(network.widths), "parameters": np.stack(shown)},
    )


run(snakemake, main)
