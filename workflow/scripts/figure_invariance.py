from flatminima.figures import invariance
from flatminima.figures.render import render
from flatminima.geometry.readings import moves
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    arrays = job.arrays("invariance")
    data = invariance.collect(moves(arrays), arrays)
    render(invariance.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
