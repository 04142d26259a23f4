from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.perturbations import perturbations
from flatminima.training.selection import shown_pair


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [Minima.read(path).parameters for path in job.inputs["minima"]]
    (pair,) = tensors(job.device, shown_pair(job.record("selection"), minima))
    return perturbations(
        build(config["network"], dataset.shape, dataset.logits),
        pair,
        tensors(job.device, dataset.train_inputs, dataset.train_labels),
        tensors(job.device, dataset.test_inputs, dataset.test_labels),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        directions=config["slice_directions"],
        steps=config["perturbation_steps"],
        grid=config["boundary_points"],
        seed=config["seed"],
        report=job.progress("perturbations"),
    )


run(snakemake, main)
