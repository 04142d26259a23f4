from flatminima.data.dataset import from_arrays
from flatminima.formats.minima import Minima
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays
from flatminima.surveys.rings import survey


def main(job: Job):
    config = job.config
    return survey(
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


run(snakemake, main)
