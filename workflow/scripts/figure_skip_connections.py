from pathlib import Path

from flatminima.figures import skip_connections
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays


def main(job: Job) -> None:
    found, minima = (
        {Path(path).stem: read_arrays(path) for path in job.inputs[name]}
        for name in ("surfaces", "minima")
    )
    data = skip_connections.collect(found, minima, job.config["source"])
    render(skip_connections.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
