from pathlib import Path

from flatminima.experiments import EXPERIMENTS, RESTS_ON
from flatminima.experiments.experiment import Files
from flatminima.measurements.measurement import as_records
from flatminima.provenance.job import Job, run
from flatminima.report.claims import judge, read
from flatminima.storage import write_json


def main(job: Job) -> None:
    config = job.config
    measurements = {}
    for name, settings in config["experiments"].items():
        prefix = f"{name}__"
        files = Files(
            {
                key.removeprefix(prefix): paths
                for key, paths in job.inputs.items()
                if key.startswith(prefix)
            }
        )
        measurements |= EXPERIMENTS[name].measure(files, settings, seed=config["seed"])
    claims = read(Path(job.inputs["claims"][0]).parent).of(config["reported"])
    write_json(job.outputs["measurements"], as_records(measurements))
    verdicts = judge(claims, measurements, scale=config["scale"], rests_on=RESTS_ON)
    write_json(job.outputs["claims"], verdicts)


run(snakemake, main)
