from flatminima.figures import reparametrisation
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = reparametrisation.collect(job.arrays("reparametrisation"))
    render(reparametrisation.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
