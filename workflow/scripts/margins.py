from flatminima.data.dataset import from_arrays
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.margins import margins


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    return margins(
        build(config["network"], dataset.shape, dataset.logits),
        [Minima.read(path) for path in job.inputs["minima"]],
        dataset.train_inputs,
        dataset.train_labels,
        factors=config["poison_factors"],
        points=config["margin_points"],
        device=job.device,
        report=job.progress("margins"),
    )


run(snakemake, main)
