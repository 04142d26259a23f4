from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.evaluation import strategies_of, with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.slices import slices
from flatminima.training.selection import shown_pair


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [Minima.read(path).parameters for path in job.inputs["minima"]]
    pair = shown_pair(job.record("selection"), minima)
    network = with_statistics(
        build(config["network"], dataset.shape, dataset.logits), **config.get("evaluation", {})
    )
    cut = slices(
        network,
        *tensors(job.device, pair, *dataset.train_part(config.get("points"))),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        directions=config["slice_directions"],
        points=config["slice_points"],
        plane_points=config["plane_points"],
        seed=config["seed"],
    )
    job.note(**strategies_of(network))
    return cut


run(snakemake, main)
