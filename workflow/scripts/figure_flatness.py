from pathlib import Path

from flatminima.figures import flatness
from flatminima.figures.render import render
from flatminima.flatness_measures import gap_correlations
from flatminima.formats.flatness import FlatnessSurvey
from flatminima.provenance.job import Job, run
from flatminima.ranks import Bootstrap


def main(job: Job) -> None:
    path, summary = Path(str(job.inputs["measures"])), job.arrays("summary")
    survey = FlatnessSurvey.read(path)
    correlations = gap_correlations(path.stem, survey, summary, Bootstrap(job.config["seed"]))
    data = flatness.collect(survey, summary, correlations)
    render(flatness.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
