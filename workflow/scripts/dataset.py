from flatminima.data.load import load
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    config = job.config
    dataset = load(config["source"], seed=config["seed"], **config["data"])
    write_arrays(job.outputs["dataset"], dataset.arrays())


run(snakemake, main)
