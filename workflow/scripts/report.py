from pathlib import Path

from flatminima.provenance.job import Job, run
from flatminima.report.publication import publish


def main(job: Job) -> None:
    page = Path(job.outputs["page"])
    # A stem has no dot; a figure has several files.
    figures = dict.fromkeys(Path(file).name.partition(".")[0] for file in job.inputs["figures"])
    publish(page.parents[1], root=Path(), source=Path("report"), figures=[*figures], **job.config)


run(snakemake, main)
