from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.training.descent import descend


def main(job: Job) -> None:
    config = dict(job.config)
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    model = MLP.between(dataset.features, config.pop("hidden"), dataset.logits)
    initial = model.initialise(config["seed"], range(1))
    iterates = descend(model, initial, dataset, **config, report=job.progress("descent"))
    iterates.write(job.outputs["iterates"])


run(snakemake, main)
