from flatminima.data.dataset import from_arrays
from flatminima.formats.minefield import Iterates
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.training.ensemble import Schedule
from flatminima.training.search import bad_minima


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    return bad_minima(
        MLP.between(dataset.features, config["hidden"], dataset.logits),
        Iterates.read(job.inputs["iterates"]).parameters,
        dataset,
        seed=config["seed"],
        kick=config["search"]["kick"],
        weight_decay=config["weight_decay"],
        stages={
            stage: (config[stage]["poison_factor"], Schedule.of(config[stage]))
            for stage in ("search", "settle")
        },
        device=job.device,
        report=job.progress,
    )


run(snakemake, main)
