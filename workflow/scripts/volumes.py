import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.volumes import Particles, beside_splitting, known_basin, volumes
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.storage import read_arrays, write_arrays
from flatminima.training.selection import shown_pair


def main(job: Job) -> None:
    config, seed = job.config, job.config["seed"]
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    network = build(config["network"], dataset.shape, dataset.logits)
    minima = [read_arrays(path) for path in job.inputs["minima"]]
    count, pilots = config["networks"], config["pilots"]
    inputs, labels = (
        torch.from_numpy(array).to(job.device)
        for array in (dataset.train_inputs, dataset.train_labels)
    )

    def at_minima(parameters: np.ndarray) -> tuple[torch.Tensor, ...]:
        return torch.from_numpy(parameters).to(job.device), inputs, labels

    measured = volumes(
        network,
        *at_minima(np.stack([part["parameters"][:count] for part in minima])),
        **{key: config[key] for key in ("cutoff", "divergence", "directions", "decades")},
        pilots=pilots,
        seed=seed,
        report=job.progress("volumes"),
    )
    measured |= known_basin(
        int(measured["weights"][0]),
        cutoff=config["cutoff"],
        directions=config["known_directions"],
        seed=seed,
    )
    measured |= beside_splitting(
        network,
        *at_minima(shown_pair(job.record("selection"), [part["parameters"] for part in minima])),
        cutoff=config["cutoff"],
        directions=config["mass_directions"],
        pilots=pilots,
        widths=config["widths"],
        decades=config["decades"],
        particles=Particles(**{key: config[key] for key in ("particles", "moves", "runs")}),
        seed=seed,
        report=job.progress("splitting"),
    )
    accuracies = ("train_accuracy", "test_accuracy", "converged")
    measured |= {name: np.stack([part[name][:count] for part in minima]) for name in accuracies}
    measured["poison_factor"] = np.asarray(config["poison_factors"], dtype=np.float64)
    write_arrays(job.outputs["volumes"], measured)


run(snakemake, main)
