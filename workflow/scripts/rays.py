from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.rays import rays
from flatminima.training.selection import shown_along


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [Minima.read(path).parameters for path in job.inputs["minima"]]
    entries, shown = shown_along(job.record("selection"), minima)
    parameters, *points = tensors(job.device, shown, *dataset.train_part(None))
    return rays(
        build(config["network"], dataset.shape, dataset.logits),
        parameters,
        entries,
        *points,
        highest=config["cutoff"],
        kind=config["direction_kind"],
        points=config["slice_points"],
        seed=config["seed"],
    )


run(snakemake, main)
