from flatminima.devices import prepare
from flatminima.provenance.job import Job, run
from flatminima.surveys.rings import circle
from flatminima.training.ensemble import Schedule


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    circles = circle(
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
    circles.write(job.outputs["circle"])


run(snakemake, main)
