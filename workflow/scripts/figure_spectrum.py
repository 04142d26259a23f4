from flatminima.figures import spectrum
from flatminima.figures.render import render
from flatminima.provenance.job import Job, run


def main(job: Job) -> None:
    data = spectrum.collect(job.arrays("spectra"))
    render(spectrum.draw, data, job.outputs["svg"].removesuffix(".svg"))


run(snakemake, main)
