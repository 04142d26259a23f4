from pathlib import Path

from flatminima.provenance.inventory import take_inventory
from flatminima.provenance.job import Job, run
from flatminima.storage import write_json


def main(job: Job) -> None:
    outputs = [*job.inputs["page"], job.inputs["slides"]]
    inventory = take_inventory(outputs, Path(job.outputs["inventory"]).parent)
    print(f"the run {inventory['id']}: {len(inventory['files'])} files")
    write_json(job.outputs["inventory"], inventory)


run(snakemake, main)
