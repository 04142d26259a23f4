from flatminima.figures import paths
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = paths.collect(job.arrays("paths"), job.config["source"])
    render(paths.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
