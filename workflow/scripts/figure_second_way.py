from flatminima.figures import second_way
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = second_way.collect(job.arrays("survey"), job.arrays("summary"))
    render(second_way.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
