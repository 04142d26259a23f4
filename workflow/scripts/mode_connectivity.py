from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.mode_connectivity import connections, pairs
from flatminima.training.ensemble import Schedule

SETTINGS = ("kind", "bends", "samples", "batch", "seed", "curve_points", "plane_points")


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    good, bad = map(Minima.read, job.inputs["minima"])
    return connections(
        build(config["network"], dataset.shape, dataset.logits),
        tensors(job.device, good.parameters, bad.parameters),
        pairs(good.train_accuracy, bad.train_accuracy, config["pairs"]),
        tensors(job.device, dataset.train_inputs, dataset.train_labels),
        tensors(job.device, dataset.test_inputs, dataset.test_labels),
        **{key: config[key] for key in SETTINGS},
        schedule=Schedule.of(config),
        report=job.progress("paths"),
    )


run(snakemake, main)
