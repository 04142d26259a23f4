from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.surveys.flatness import reparametrisation, spectra, survey
from flatminima.training.selection import shown_pair

# Values above which eigenvalues are counted.
THRESHOLDS = 61
# Eigenvalues found one by one.
TOP = 5


def main(job: Job) -> None:
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = MLP.between(dataset.features, config["network"]["hidden"], dataset.logits)
    minima = [Minima.read(path) for path in job.inputs["minima"]]
    chosen = shown_pair(job.record("selection"), [ensemble.parameters for ensemble in minima])
    pair, *points = tensors(job.device, chosen, dataset.train_inputs, dataset.train_labels)
    settings, seed = config["flatness"], config["seed"]
    common = {
        "level": settings["common_loss"],
        "batch": settings["batch"],
        "partitions": settings["partitions"],
        "seed": seed,
    }
    survey(
        network,
        minima,
        *points,
        factors=config["poison_factors"],
        around={
            "excess": config["excess"],
            "kind": "exact",
            "directions": settings["directions"],
            "decades": config["decades"],
        },
        **common,
        report=job.progress("flatness"),
    ).write(job.outputs["measures"])
    spectra(
        network,
        pair,
        *points,
        level=settings["common_loss"],
        thresholds=THRESHOLDS,
        top=TOP,
        probes=settings["probes"],
        steps=settings["steps"],
        seed=seed,
        report=job.progress("spectra"),
    ).write(job.outputs["spectra"])
    reparametrisation(
        network,
        pair,
        *points,
        **common,
        layer=settings["layer"],
        factor=settings["factor"],
        excess=config["excess"],
        directions=settings["directions"],
        decades=config["decades"],
        report=job.progress("rescaled"),
    ).write(job.outputs["reparametrisation"])


run(snakemake, main)
