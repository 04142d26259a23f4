from flatminima.provenance.job import Job, run
from flatminima.surveys.rings import circle
from flatminima.training.ensemble import Schedule


def main(job: Job):
    config = job.config
    return circle(
        config["hidden"],
        config["data"],
        **{key: config[key] for key in ("gap", "loss", "noise", "points", "seed")},
        schedule=Schedule.of({**config, "hold": 0.0}),
        device=job.device,
        report=job.progress("training the circle"),
    )


run(snakemake, main)
