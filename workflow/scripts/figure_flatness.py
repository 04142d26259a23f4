from pathlib import Path

from flatminima.figures import flatness
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    dataset = Path(str(job.inputs["measures"])).stem
    arrays = job.arrays("measures"), job.arrays("summary")
    data = flatness.collect(*arrays, dataset, job.config["seed"])
    render(flatness.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
