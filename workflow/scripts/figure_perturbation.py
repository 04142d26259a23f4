from flatminima.figures import perturbation
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = perturbation.collect(job.arrays("perturbations"), job.wildcards["way"])
    render(perturbation.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
