from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare, tensors
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.rays import rays
from flatminima.training.selection import shown_along


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [Minima.read(path).parameters for path in job.inputs["minima"]]
    entries, shown = shown_along(job.record("selection"), minima)
    parameters, inputs, labels = tensors(
        job.device, shown, dataset.train_inputs, dataset.train_labels
    )
    followed = rays(
        build(config["network"], dataset.shape, dataset.logits),
        parameters,
        entries,
        inputs,
        labels,
        highest=config["cutoff"],
        kind=config["direction_kind"],
        points=config["slice_points"],
        seed=config["seed"],
    )
    followed.write(job.outputs["rays"])


run(snakemake, main)
