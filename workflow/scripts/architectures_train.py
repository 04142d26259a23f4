from functools import partial

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.provenance.job import Job, run
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import sgd
from flatminima.training.learning_curves import follow


def main(job: Job) -> None:
    prepare(job.threads)
    checkpoints = Checkpoints(job.checkpoints, job.digest)
    curves = follow(
        job.config,
        from_arrays(job.arrays("dataset"), job.inputs["dataset"]),
        optimizer=partial(sgd, momentum=job.config["momentum"]),
        device=job.device,
        checkpoints=checkpoints,
        report=job.progress("training"),
    )
    curves.write(job.outputs["course"])
    checkpoints.clear()


run(snakemake, main)
