import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import basins
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    tensors = (job.arrays("minima")["parameters"], dataset.train_inputs, dataset.train_labels)
    measured = basins(
        build(config["network"], dataset.shape, dataset.logits),
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        **config["basins"],
        seed=config["seed"],
        report=job.progress("basins"),
    )
    write_arrays(job.outputs["basins"], measured)


run(snakemake, main)
