from flatminima.figures import living
from flatminima.provenance.job import Job, run
from flatminima.storage import write_bytes


def main(job: Job) -> None:
    script = living.script(job.arrays("rays"), job.arrays("dataset"))
    write_bytes(job.outputs["data"], script.encode())


run(snakemake, main)
