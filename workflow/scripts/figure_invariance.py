from flatminima.figures import invariance
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = invariance.collect(job.arrays("invariance"))
    render(invariance.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
