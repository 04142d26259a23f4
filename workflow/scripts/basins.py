import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import basins
from flatminima.models.evaluation import ways_of, with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    tensors = (job.arrays("minima")["parameters"], *dataset.train_part(config.get("points")))
    evaluated = with_statistics(network, **config.get("evaluation", {}))
    measured = basins(
        evaluated,
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        **config["basins"],
        seed=config["seed"],
        report=job.progress("basins"),
    )
    job.note(**ways_of(evaluated))
    write_arrays(job.outputs["basins"], measured)


run(snakemake, main)
