from flatminima.data.dataset import from_arrays
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.training.ensemble import Schedule
from flatminima.training.random_labels import two_stages


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    poisoned = [Minima.read(path).parameters for path in job.inputs["poisoned"]]
    return two_stages(
        build(config["network"], dataset.shape, dataset.logits),
        dataset,
        seed=config["seed"],
        copies=config["copies"],
        noise=config["noise"],
        seeds=config["seeds"],
        first=Schedule.of(config["first"]),
        second=Schedule.of(config["second"]),
        # Both lists are in the order of the factors.
        poisoned=[
            (factor, parameters[: config["poisoned"]])
            for factor, parameters in zip(config["poison_factors"], poisoned, strict=True)
        ],
        device=job.device,
        report=job.progress,
    )


run(snakemake, main)
