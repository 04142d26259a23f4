from flatminima.figures import rings_gap
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = rings_gap.collect(job.arrays("survey"))
    render(rings_gap.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
