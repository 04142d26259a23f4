from flatminima.data.load import load
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    settings = dict(job.config["data"])
    if "folder" in settings:
        # The inputs are the files in it.
        del settings["folder"]
        settings["files"] = job.inputs["files"]
    dataset = load(job.config["source"], seed=job.config["seed"], **settings)
    dataset.write(job.outputs["dataset"])
    job.note(**dataset.facts)


run(snakemake, main)
