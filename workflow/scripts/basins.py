from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.evaluation import strategies_of, with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.basins import basins


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = with_statistics(
        build(config["network"], dataset.shape, dataset.logits), **config.get("evaluation", {})
    )
    minima = Minima.read(job.inputs["minima"])
    measured = basins(
        network,
        *tensors(job.device, minima.parameters, *dataset.train_part(config.get("points"))),
        **config["basins"],
        seed=config["seed"],
        report=job.progress("basins"),
    )
    job.note(**strategies_of(network))
    return measured


run(snakemake, main)
