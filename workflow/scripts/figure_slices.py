from flatminima.figures import slices
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = slices.collect(job.arrays("slices"), job.record("selection"), job.config["source"])
    render(slices.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
