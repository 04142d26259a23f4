from flatminima.figures import perturbation
from flatminima.figures.animation import animate
from flatminima.provenance.job import Job, run
from flatminima.storage import write_bytes


def main(job: Job) -> None:
    data = perturbation.collect(job.arrays("perturbations"), job.wildcards["way"], shown=None)
    for suffix, content in animate(data).items():
        write_bytes(job.outputs[suffix], content)


run(snakemake, main)
