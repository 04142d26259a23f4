from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.formats.minima import Minima
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays
from flatminima.surveys.rings import survey


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    surveyed = survey(
        # All three lists are in the order of the gaps.
        config["gaps"],
        [from_arrays(read_arrays(path), path) for path in job.inputs["datasets"]],
        [Minima.read(path) for path in job.inputs["minima"]],
        hidden=config["hidden"],
        angles=config["angles"],
        measure=config["basins"],
        seed=config["seed"],
        device=job.device,
        report=job.progress("survey"),
    )
    surveyed.write(job.outputs["survey"])


run(snakemake, main)
