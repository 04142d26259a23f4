from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.basins import DIRECTIONS, BasinRays
from flatminima.formats.minima import Minima
from flatminima.models.evaluation import strategies_of, with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.basins import basin_rays, summed


def main(job: Job):
    config, settings = job.config, dict(job.config["basins"])
    if rays := job.joined(BasinRays, DIRECTIONS):
        return summed(rays, seed=config["seed"])
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = with_statistics(
        build(config["network"], dataset.shape, dataset.logits), **config.get("evaluation", {})
    )
    minima = Minima.read(job.inputs["minima"])
    rays = basin_rays(
        network,
        *tensors(job.device, minima.parameters, *dataset.train_part(config.get("points"))),
        numbers=job.numbers(settings.pop("directions")),
        **settings,
        seed=config["seed"],
        report=job.progress("basins"),
    )
    job.note(**strategies_of(network))
    return rays if job.part else summed(rays, seed=config["seed"])


run(snakemake, main)
