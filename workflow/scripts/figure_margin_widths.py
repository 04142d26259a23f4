from flatminima.figures import margin_widths
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = margin_widths.collect(job.arrays("margins"))
    render(margin_widths.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
