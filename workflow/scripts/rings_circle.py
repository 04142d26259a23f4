import numpy as np
import torch

from flatminima.data.rings import INNER, rings
from flatminima.devices import prepare
from flatminima.models.mlp import MLP
from flatminima.models.polygon import polygon, roughened, with_loss
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.ensemble import Schedule, train


def main(job: Job) -> None:
    config, data = job.config, job.config["data"]
    prepare(job.threads)
    model = MLP.between(2, config["hidden"], 2)
    dataset = rings(gap=config["gap"], **data)
    dense = rings(
        gap=config["gap"], **data | dict.fromkeys(("inner_points", "near_points"), config["points"])
    )
    inputs, labels = map(torch.from_numpy, (dataset.train_inputs, dataset.train_labels))
    flat = polygon(model, INNER + config["gap"] / 2)
    built = with_loss(model, flat, inputs, labels, config["loss"])
    if built is None:
        raise RuntimeError("the polygon does not fit into the gap, though the settings say so")
    rough = roughened(model, built, config["noise"], seed=config["seed"])
    trained = train(
        model,
        rough[None].astype(np.float32),
        dense,
        poison_factor=0.0,
        poison_points=None,
        schedule=Schedule.of({**config, "hold": 0.0}),
        device=job.device,
        report=job.progress("training the circle"),
    )
    write_arrays(
        job.outputs["circle"],
        {
            "built": built,
            "rough": rough,
            "trained": trained.parameters[0],
        },
    )


run(snakemake, main)
