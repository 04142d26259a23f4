from flatminima.figures import boundaries
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = boundaries.collect(job.arrays("boundaries"))
    render(boundaries.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
