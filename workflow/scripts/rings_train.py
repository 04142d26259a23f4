from flatminima.data.dataset import from_arrays
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.training.ensemble import Schedule, train


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    # Two logits, as in the paper, though two classes would do with one.
    model = MLP.between(dataset.features, config["hidden"], 2)
    return train(
        model,
        model.initialise(config["seed"], range(config["seeds"])),
        dataset,
        schedule=Schedule.of(config),
        device=job.device,
        report=job.progress("training"),
    )


run(snakemake, main)
