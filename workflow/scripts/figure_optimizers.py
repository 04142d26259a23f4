from pathlib import Path

from flatminima.figures import optimizers
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays


def main(job: Job) -> None:
    courses = {Path(path).stem: read_arrays(path) for path in job.inputs["courses"]}
    data = optimizers.collect(courses, job.config["source"])
    render(optimizers.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
