from flatminima.figures import basins
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays


def main(job: Job) -> None:
    good, bad = (read_arrays(path) for path in job.inputs["basins"])
    data = basins.collect(
        job.arrays("slices"), good, bad, job.record("selection"), job.config["source"]
    )
    render(basins.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
