from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.evaluation import strategies_of, with_statistics
from flatminima.models.load import build
from flatminima.models.statistics import STATISTICS
from flatminima.provenance.job import Job, run
from flatminima.surveys.basins import subsets
from flatminima.training.selection import shown_pair


def main(job: Job):
    config, evaluation = job.config, job.config["evaluation"]
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = [Minima.read(path).parameters for path in job.inputs["minima"]]
    pair = shown_pair(job.record("selection"), minima)
    networks = {name: with_statistics(network, name, evaluation["batch"]) for name in STATISTICS}
    measured = subsets(
        networks,
        evaluation["batch_norm"],
        *tensors(job.device, pair, *dataset.train_part(config.get("points"))),
        count=config["subsets"],
        report=job.progress("subsets"),
        **config["basins"],
        seed=config["seed"],
    )
    job.note(**strategies_of(*networks.values()))
    return measured


run(snakemake, main)
