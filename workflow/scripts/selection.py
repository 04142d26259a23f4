import numpy as np

from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_json
from flatminima.training.selection import select


def main(job: Job) -> None:
    minima = [read_arrays(path) for path in job.inputs["minima"]]
    accuracies = (
        np.stack([part[name] for part in minima]) for name in ("train_accuracy", "test_accuracy")
    )
    write_json(job.outputs["selection"], select(job.config["poison_factors"], *accuracies))


run(snakemake, main)
