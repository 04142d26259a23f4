import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.data.rings import radii
from flatminima.devices import prepare
from flatminima.geometry.rings import boundaries, curvatures, lines, pictures
from flatminima.geometry.survey import basins
from flatminima.models.mlp import MLP
from flatminima.models.polygon import with_loss
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.selection import middle

# Basins of the circles are measured like those of the networks, which the survey holds.
BASIN = ("median_radius", "log10_volume_mean_log", "log_determinant")


def main(job: Job) -> None:
    config, device = job.config, job.device
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    model = MLP.between(dataset.features, config["hidden"], 2)
    minima, survey, circle = (job.arrays(name) for name in ("minima", "survey", "circle"))
    inputs, labels = (
        torch.from_numpy(array).to(device) for array in (dataset.train_inputs, dataset.train_labels)
    )
    rings, seed, kind = radii(config["gap"]), config["seed"], config["basins"]["kind"]
    shown = middle(minima["train_accuracy"], survey["between_share"][0])

    def on_device(vectors: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(vectors).astype(np.float32)).to(device)

    def curved(networks: torch.Tensor) -> dict[str, np.ndarray]:
        return curvatures(model, networks, inputs, labels, kind=kind, seed=seed)

    trained = on_device(list(minima["parameters"]))
    found = {f"trained_{name}": array for name, array in curved(trained).items()}
    drawn = [trained[shown]]
    for circle_kind in ("built", "trained"):
        # As steep as it takes to have the training loss of each trained network in turn.
        matched = [
            with_loss(model, circle[circle_kind], inputs.cpu(), labels.cpu(), float(loss))
            for loss in minima["train_loss"]
        ]
        circles = on_device(
            [circle[circle_kind] if vector is None else vector for vector in matched]
        )
        basin = basins(model, circles, inputs, labels, **config["basins"], seed=seed)
        arrays = {name: basin[name] for name in BASIN} | curved(circles)
        arrays["matched"] = np.array([vector is not None for vector in matched])
        found |= {f"circle_{circle_kind}_{name}": array for name, array in arrays.items()}
        drawn.append(circles[shown])
    # The rough copy shows what training on the dense rings had to mend.
    checked = torch.stack([*drawn[1:], on_device([circle["rough"]])[0]])
    followed = boundaries(model, checked, rings, angles=config["angles"])
    reach = 2 * float(np.median(survey["radii"][0, shown, len(config["basins"]["cutoffs"]) - 1]))
    distance = np.linspace(-reach, reach, config["slice_points"])
    loss = lines(
        model,
        torch.stack(drawn[:2]),
        inputs,
        labels,
        distance,
        kind=kind,
        count=config["slice_directions"],
        seed=seed,
    )
    drawing = pictures(model, torch.stack(drawn[:2]), rings, points=config["boundary_points"])
    write_arrays(
        job.outputs["sharpness"],
        {
            **found,
            **drawing,
            "circles_between_share": followed["between_share"],
            "shown": np.array([shown]),
            "distance": distance,
            "loss_1d": loss,
            "train_inputs": dataset.train_inputs,
            "train_labels": dataset.train_labels,
        },
    )


run(snakemake, main)
