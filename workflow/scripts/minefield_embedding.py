from flatminima.formats.minefield import BadMinima, Iterates
from flatminima.provenance.job import Job, run
from flatminima.surveys.minefield import embedding


def main(job: Job):
    config = job.config
    iterates = Iterates.read(job.inputs["iterates"])
    return embedding(
        iterates.parameters,
        BadMinima.read(job.inputs["minima"]).parameters,
        iterates.layers,
        components=config["components"],
        perplexities=[config["perplexity"], *config["others"]],
        runs=config["seeds"],
        seed=config["seed"],
        report=job.progress("embedding"),
    )


run(snakemake, main)
