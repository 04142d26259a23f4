from flatminima.provenance.job import Job, run
from flatminima.surveys.rings import circle
from flatminima.training.ensemble import Schedule


def main(job: Job):
    config = job.config
    return circle(
        config["hidden"],
        config["data"],
        gap=config["gap"],
        loss=config["loss"],
        noise=config["noise"],
        points=config["points"],
        schedule=Schedule.of({**config, "hold": 0.0}),
        seed=config["seed"],
        device=job.device,
        report=job.progress("training the circle"),
    )


run(snakemake, main)
