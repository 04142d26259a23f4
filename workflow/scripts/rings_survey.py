import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.data.rings import radii
from flatminima.devices import prepare
from flatminima.geometry.rings import boundaries, found
from flatminima.geometry.survey import basins
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays

KEPT = ("train_accuracy", "train_loss", "converged")


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    rows = []
    # Both lists are in the order of the gaps.
    for number, (gap, points, minima) in enumerate(
        zip(config["gaps"], job.inputs["datasets"], job.inputs["minima"], strict=True)
    ):
        dataset, ensemble = from_arrays(read_arrays(points), points), read_arrays(minima)
        model = MLP.between(dataset.features, config["hidden"], 2)
        networks, inputs, labels = (
            torch.from_numpy(array).to(job.device)
            for array in (ensemble["parameters"], dataset.train_inputs, dataset.train_labels)
        )
        measured = basins(model, networks, inputs, labels, **config["basins"], seed=config["seed"])
        followed = boundaries(model, networks, radii(gap), angles=config["angles"])
        rows.append({name: ensemble[name] for name in KEPT} | measured | followed)
        job.progress("survey")(number + 1, len(config["gaps"]), f"gap {gap}")
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    shares = found(stacked["between_share"])
    write_arrays(job.outputs["survey"], {"gap": np.array(config["gaps"]), **stacked, **shares})


run(snakemake, main)
