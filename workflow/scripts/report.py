from pathlib import Path

from flatminima.provenance.job import Job, run
from flatminima.report.publication import publish


def main(job: Job) -> None:
    page = Path(job.outputs["page"])
    publish(page.parents[1], root=Path(), source=Path("report"), **job.config)


run(snakemake, main)
