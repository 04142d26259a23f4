from flatminima.figures import random_labels
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = random_labels.collect(job.arrays("survey"), job.arrays("summary"))
    render(random_labels.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
