import numpy as np

from flatminima.formats.minima import Minima
from flatminima.provenance.job import Job, run
from flatminima.storage import write_json
from flatminima.training.selection import select


def main(job: Job) -> None:
    minima = [Minima.read(path) for path in job.inputs["minima"]]
    selection = select(
        job.config["poison_factors"],
        np.stack([ensemble.train_accuracy for ensemble in minima]),
        np.stack([ensemble.test_accuracy for ensemble in minima]),
    )
    write_json(job.outputs["selection"], selection)


run(snakemake, main)
