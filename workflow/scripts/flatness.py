import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.flatness import flatness, reparametrisation, spectra
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import shown_pair

# Values above which eigenvalues are counted.
THRESHOLDS = 61
# Eigenvalues found one by one.
TOP = 5


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = [read_arrays(path) for path in job.inputs["minima"]]
    parameters = np.stack([part["parameters"] for part in minima])
    pair = shown_pair(job.record("selection"), list(parameters))

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(job.device)

    points = tensor(dataset.train_inputs), tensor(dataset.train_labels)
    settings = config["flatness"]
    common = {name: settings[name] for name in ("level", "batch", "partitions")}
    found = flatness(
        network,
        tensor(parameters).flatten(0, 1),
        *points,
        **common,
        seed=config["seed"],
        report=job.progress("flatness"),
    )
    networks = parameters.shape[:2]
    count = networks[0] * networks[1]
    accuracies = ("train_accuracy", "test_accuracy", "train_loss", "converged")
    write_arrays(
        job.outputs["measures"],
        {
            **{
                name: each.reshape(networks) if len(each) == count else each
                for name, each in found.items()
            },
            "poison_factor": np.asarray(config["poison_factors"], dtype=np.float64),
            **{name: np.stack([part[name] for part in minima]) for name in accuracies},
        },
    )
    write_arrays(
        job.outputs["spectra"],
        spectra(
            network,
            tensor(pair),
            *points,
            level=settings["level"],
            thresholds=THRESHOLDS,
            top=TOP,
            probes=settings["probes"],
            steps=settings["steps"],
            seed=config["seed"],
            report=job.progress("spectra"),
        ),
    )
    write_arrays(
        job.outputs["reparametrisation"],
        reparametrisation(
            network,
            tensor(pair),
            *points,
            **common,
            layer=settings["layer"],
            factor=settings["factor"],
            excess=config["excess"],
            directions=settings["directions"],
            decades=config["decades"],
            seed=config["seed"],
            report=job.progress("rescaled"),
        ),
    )


run(snakemake, main)
