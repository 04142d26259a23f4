from flatminima.formats.basins import Basins
from flatminima.formats.minima import Minima
from flatminima.provenance.job import Job, run
from flatminima.surveys.summary import summarise


def main(job: Job):
    return summarise(
        job.config["poison_factors"],
        [Minima.read(path) for path in job.inputs["minima"]],
        [Basins.read(path) for path in job.inputs["basins"]],
    )


run(snakemake, main)
