from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.courses import follow
from flatminima.training.load import optimizer_of


def main(job: Job) -> None:
    prepare(job.threads)
    checkpoints = Checkpoints(job.checkpoints, job.digest)
    course = follow(
        job.config,
        from_arrays(job.arrays("dataset"), job.inputs["dataset"]),
        optimizer=optimizer_of(job.config["optimizer"]),
        device=job.device,
        checkpoints=checkpoints,
        report=job.progress("training"),
    )
    write_arrays(job.outputs["course"], course)
    checkpoints.clear()


run(snakemake, main)
