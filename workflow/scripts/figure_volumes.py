from flatminima.figures import volumes
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = volumes.collect(job.arrays("volumes"))
    render(volumes.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
