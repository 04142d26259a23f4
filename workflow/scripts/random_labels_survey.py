from flatminima.data.dataset import from_arrays
from flatminima.formats.random_labels import TwoStageMinima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.random_labels import survey


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    return survey(
        build(config["network"], dataset.shape, dataset.logits),
        TwoStageMinima.read(job.inputs["minima"]),
        dataset.train_inputs,
        dataset.train_labels,
        measure=config["basins"],
        common_loss=config["common_loss"],
        points=config["boundary_points"],
        seed=config["seed"],
        device=job.device,
        report=job.progress("basins"),
    )


run(snakemake, main)
