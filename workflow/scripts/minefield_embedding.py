from flatminima.geometry.embedding import survey
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    config = job.config
    iterates = job.arrays("iterates")
    embedded = survey(
        iterates["parameters"],
        job.arrays("minima")["parameters"],
        iterates["layers"],
        components=config["components"],
        perplexities=[config["perplexity"], *config["others"]],
        runs=config["seeds"],
        seed=config["seed"],
        report=job.progress("embedding"),
    )
    write_arrays(job.outputs["embedding"], embedded)


run(snakemake, main)
