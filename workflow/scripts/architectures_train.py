from functools import partial

from flatminima.data.dataset import from_arrays
from flatminima.devices import training_precision
from flatminima.provenance.job import Job, run
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import sgd
from flatminima.training.learning_curves import follow


def main(job: Job):
    job.note(precision=training_precision(job.config["precision"], job.device))
    return follow(
        job.config,
        from_arrays(job.arrays("dataset"), job.inputs["dataset"]),
        optimizer=partial(sgd, momentum=job.config["momentum"]),
        device=job.device,
        checkpoints=Checkpoints(job.checkpoints, job.digest),
        report=job.progress("training"),
    )


run(snakemake, main)
