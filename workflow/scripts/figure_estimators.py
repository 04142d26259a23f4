from flatminima.figures import estimators
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = estimators.collect(job.arrays("volumes"))
    render(estimators.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
