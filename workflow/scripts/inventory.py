from pathlib import Path

from flatminima.provenance.inventory import take_inventory
from flatminima.provenance.job import Job, run
from flatminima.storage import write_json


def main(job: Job) -> None:
    inventory = take_inventory(job.inputs["page"], Path(job.outputs["inventory"]).parent)
    print(f"the run {inventory['id']}: {len(inventory['files'])} files")
    write_json(job.outputs["inventory"], inventory)


run(snakemake, main)
