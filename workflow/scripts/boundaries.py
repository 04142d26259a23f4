from flatminima.data.dataset import from_arrays
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.boundaries import boundaries


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    return boundaries(
        build(config["network"], dataset.shape, dataset.logits),
        job.record("selection"),
        [Minima.read(path).parameters for path in job.inputs["minima"]],
        dataset.train_inputs,
        dataset.train_labels,
        points=config["boundary_points"],
        device=job.device,
    )


run(snakemake, main)
