from functools import partial

import numpy as np

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.epochs import Epochs, sgd, train
from flatminima.training.poison import poison_points_of_share


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = train(
        network,
        network.initialise(config["seed"], range(config["seeds"])),
        dataset,
        poison_points=poison_points_of_share(
            config["poison_factor"], len(dataset.train_labels), dataset.poison_labels.shape[1]
        ),
        schedule=Epochs.of(config),
        optimizer=partial(sgd, momentum=config["momentum"]),
        seed=config["seed"],
        device=job.device,
        report=job.progress("training"),
    )
    trainable = {"trainable": np.array([network.trainable])}
    write_arrays(job.outputs["minima"], minima.arrays() | trainable)


run(snakemake, main)
