import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import basins
from flatminima.models.evaluation import with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    # A random part: the order of the training points is that of a permutation.
    points = config.get("points")
    tensors = (
        job.arrays("minima")["parameters"],
        dataset.train_inputs[:points],
        dataset.train_labels[:points],
    )
    measured = basins(
        with_statistics(network, **config.get("evaluation", {})),
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        **config["basins"],
        seed=config["seed"],
        report=job.progress("basins"),
    )
    write_arrays(job.outputs["basins"], measured)


run(snakemake, main)
