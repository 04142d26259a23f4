from flatminima.configuration import read_mapping
from flatminima.experiments import EXPERIMENTS
from flatminima.experiments.experiment import Files
from flatminima.measurements.measurement import as_records
from flatminima.provenance.job import Job, run
from flatminima.report.claims import judge, parse
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
    claims = parse(read_mapping(job.inputs["claims"]), job.inputs["claims"]).of(config["reported"])
    write_json(job.outputs["measurements"], as_records(measurements))
    write_json(job.outputs["claims"], judge(claims, measurements, scale=config["scale"]))


run(snakemake, main)
