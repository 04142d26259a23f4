from flatminima.data.dataset import from_arrays
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.training.descent import descend


def main(job: Job):
    config = dict(job.config)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    model = MLP.between(dataset.features, config.pop("hidden"), dataset.logits)
    initial = model.initialise(config["seed"], range(1))
    return descend(model, initial, dataset, **config, report=job.progress("descent"))


run(snakemake, main)
