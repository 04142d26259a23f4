from flatminima.data.rings import rings
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    rings(**job.config).write(job.outputs["dataset"])


run(snakemake, main)
