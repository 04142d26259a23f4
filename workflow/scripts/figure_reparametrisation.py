from flatminima.figures import reparametrisation
from flatminima.figures.render import render
from flatminima.geometry.readings import moves
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    arrays = job.arrays("reparametrisation")
    data = reparametrisation.collect(moves(arrays), arrays)
    render(reparametrisation.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
