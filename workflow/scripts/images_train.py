from functools import partial

from flatminima.data.dataset import from_arrays
from flatminima.devices import training_precision
from flatminima.formats.minima import NETWORKS, Minima
from flatminima.models.load import build_module
from flatminima.provenance.job import Job, run
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import sgd, train_as
from flatminima.training.poison import poison_points_of_share


def main(job: Job):
    if minima := job.joined(Minima, NETWORKS):
        return minima
    config = job.config
    job.note(precision=training_precision(config["precision"], job.device))
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build_module(config["network"], dataset.shape, dataset.logits)
    return train_as(
        config,
        network,
        dataset,
        numbers=job.numbers(config["seeds"]),
        poison_points=poison_points_of_share(
            config["poison_factor"], len(dataset.train_labels), dataset.poison_labels.shape[1]
        ),
        optimizer=partial(sgd, momentum=config["momentum"]),
        device=job.device,
        checkpoints=Checkpoints(job.checkpoints, job.digest),
        report=job.progress("training"),
    )


run(snakemake, main)
