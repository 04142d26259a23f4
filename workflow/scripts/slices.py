import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.survey import slices
from flatminima.models.evaluation import ways_of, with_statistics
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import shown_pair


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [read_arrays(path)["parameters"] for path in job.inputs["minima"]]
    pair = shown_pair(job.record("selection"), minima)
    network = build(config["network"], dataset.shape, dataset.logits)
    tensors = (pair, *dataset.train_part(config.get("points")))
    evaluated = with_statistics(network, **config.get("evaluation", {}))
    cut = slices(
        evaluated,
        *(torch.from_numpy(array).to(job.device) for array in tensors),
        highest=config["cutoff"],
        kind=config["direction_kind"],
        directions=config["slice_directions"],
        points=config["slice_points"],
        plane_points=config["plane_points"],
        seed=config["seed"],
    )
    job.note(**ways_of(evaluated))
    write_arrays(job.outputs["slices"], cut)


run(snakemake, main)
