from flatminima.data.dataset import from_arrays
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.training.ensemble import Schedule, train
from flatminima.training.poison import poison_points_of_share


def main(job: Job):
    config, factor = job.config, job.config["poison_factor"]
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    model = build(config["network"], dataset.shape, dataset.logits)
    poison_points = dataset.poison_labels.shape[1]
    if config["poison_batch"] == "share":
        poison_points = poison_points_of_share(factor, len(dataset.train_labels), poison_points)
    return train(
        model,
        model.initialise(config["seed"], range(config["seeds"])),
        dataset,
        poison_factor=factor,
        poison_points=poison_points,
        schedule=Schedule.of(config),
        device=job.device,
        report=job.progress("training"),
    )


run(snakemake, main)
