import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.connections import connections
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.ensemble import Schedule
from flatminima.training.pairs import pairs


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    good, bad = (read_arrays(path) for path in job.inputs["minima"])
    chosen = pairs(good["train_accuracy"], bad["train_accuracy"], config["pairs"])
    train, test = (
        tuple(
            torch.from_numpy(getattr(dataset, f"{part}_{what}")).to(job.device)
            for what in ("inputs", "labels")
        )
        for part in ("train", "test")
    )
    joined = connections(
        build(config["network"], dataset.shape, dataset.logits),
        tuple(torch.from_numpy(each["parameters"]).to(job.device) for each in (good, bad)),
        chosen,
        train,
        test,
        **{key: config[key] for key in ("kind", "bends", "samples", "batch", "seed")},
        places=config["places"],
        plane_points=config["plane_points"],
        schedule=Schedule.of(config),
        report=job.progress("paths"),
    )
    write_arrays(job.outputs["paths"], joined)


run(snakemake, main)
