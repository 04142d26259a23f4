from pathlib import Path

from flatminima.figures.slides import pdf
from flatminima.provenance.job import Job, run
from flatminima.storage import read_json, write_bytes


def main(job: Job) -> None:
    figures = {Path(file).stem: Path(file) for file in job.inputs["figures"]}
    write_bytes(job.outputs["slides"], pdf(read_json(job.inputs["deck"])["slides"], figures))


run(snakemake, main)
