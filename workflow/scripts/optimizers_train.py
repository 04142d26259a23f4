from flatminima.data.dataset import from_arrays
from flatminima.devices import training_precision
from flatminima.provenance.job import Job, run
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.learning_curves import follow
from flatminima.training.load import optimizer_of


def main(job: Job):
    job.note(precision=training_precision(job.config["precision"], job.device))
    return follow(
        job.config,
        from_arrays(job.arrays("dataset"), job.inputs["dataset"]),
        optimizer=optimizer_of(job.config["optimizer"]),
        device=job.device,
        checkpoints=Checkpoints(job.checkpoints, job.digest),
        report=job.progress("training"),
    )


run(snakemake, main)
