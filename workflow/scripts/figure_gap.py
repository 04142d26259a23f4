from flatminima.figures import gap
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = gap.collect(job.arrays("summary"), job.config["source"])
    render(gap.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
