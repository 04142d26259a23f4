import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import subsets
from flatminima.models.evaluation import with_statistics
from flatminima.models.load import build
from flatminima.models.statistics import STATISTICS
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import shown_pair


def main(job: Job) -> None:
    config, evaluation = job.config, job.config["evaluation"]
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = [read_arrays(path)["parameters"] for path in job.inputs["minima"]]
    pair = shown_pair(job.record("selection"), minima)
    tensors = (pair, *dataset.train_part(config.get("points")))
    measured = subsets(
        {name: with_statistics(network, name, evaluation["batch"]) for name in STATISTICS},
        evaluation["batch_norm"],
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        count=config["subsets"],
        report=job.progress("subsets"),
        **config["basins"],
        seed=config["seed"],
    )
    write_arrays(job.outputs["subsets"], measured)


run(snakemake, main)
