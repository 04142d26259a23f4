from flatminima.figures import margins
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = margins.collect(job.arrays("slices"), job.arrays("boundaries"), job.record("selection"))
    render(margins.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
