from flatminima.figures import measures
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = measures.collect(job.arrays("measures"), job.arrays("summary"))
    render(measures.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
