from flatminima.figures import minefield_embeddings
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = minefield_embeddings.collect(*map(job.arrays, ("iterates", "minima", "embedding")))
    render(minefield_embeddings.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
