from flatminima.provenance.job import Job, run
from flatminima.report.summary import summarise
from flatminima.storage import read_arrays, write_arrays


def main(job: Job) -> None:
    summary = summarise(
        job.config["poison_factors"],
        [read_arrays(path) for path in job.inputs["minima"]],
        [read_arrays(path) for path in job.inputs["basins"]],
    )
    write_arrays(job.outputs["summary"], summary)


run(snakemake, main)
