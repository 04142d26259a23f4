from flatminima.figures import minefield
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = minefield.collect(*map(job.arrays, ("iterates", "minima", "embedding")))
    render(minefield.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
