from flatminima.figures import mode_connectivity
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = mode_connectivity.collect(job.arrays("paths"), job.config["source"])
    render(mode_connectivity.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
