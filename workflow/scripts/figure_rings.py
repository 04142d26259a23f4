from flatminima.figures import rings
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = rings.collect(job.arrays("sharpness"), job.arrays("survey"))
    render(rings.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
