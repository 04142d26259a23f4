from pathlib import Path

from flatminima.figures import flatness
from flatminima.figures.render import render
from flatminima.geometry.readings import gap_correlations
from flatminima.provenance.job import Job, run
from flatminima.ranks import Bootstrap


def main(job: Job) -> None:
    found, summary = job.arrays("measures"), job.arrays("summary")
    bootstrap = Bootstrap(job.config["seed"])
    dataset = Path(str(job.inputs["measures"])).stem
    correlations = gap_correlations(dataset, found, summary, bootstrap)
    data = flatness.collect(found, summary, correlations)
    render(flatness.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
