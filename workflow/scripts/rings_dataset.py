from flatminima.data.rings import rings
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    write_arrays(job.outputs["dataset"], rings(**job.config).arrays())


run(snakemake, main)
