import numpy as np
import torch

from flatminima.data.dataset import from_arrays
from flatminima.data.rings import INNER, OUTER
from flatminima.devices import prepare
from flatminima.geometry.circle import Rings
from flatminima.geometry.rings import boundaries, curvatures, lines, pictures
from flatminima.geometry.survey import basins
from flatminima.models.mlp import MLP
from flatminima.models.polygon import with_loss
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.selection import middle

# Basins of the circles are measured like those of the networks, which the survey holds.
BASIN = (
    *("cutoff", "median_radius", "recrossing_share", "censored_share"),
    *("log10_volume_mean_exp", "log10_volume_mean_log", "log_determinant"),
)


def main(job: Job) -> None:
    config, device = job.config, job.device
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    model = MLP.between(dataset.features, config["hidden"], 2)
    minima, survey, circle = (job.arrays(name) for name in ("minima", "survey", "circle"))
    inputs, labels = (
        torch.from_numpy(array).to(device) for array in (dataset.train_inputs, dataset.train_labels)
    )
    rings = Rings(inner=INNER, gap=config["gaps"][0], outer=OUTER)
    shown = middle(minima["train_accuracy"], survey["between_share"][0])

    def on_device(vectors: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(vectors).astype(np.float32)).to(device)

    def sharpness(networks: torch.Tensor) -> dict[str, np.ndarray]:
        measured = basins(
            model,
            networks,
            inputs,
            labels,
            cutoffs=config["cutoffs"],
            excess=config["excess"],
            kind=config["direction_kind"],
            directions=config["directions"],
            decades=config["decades"],
            seed=config["seed"],
        )
        found = {name: measured[name] for name in BASIN}
        return found | curvatures(model, networks, inputs, labels, seed=config["seed"])

    trained = on_device(list(minima["parameters"]))
    found = {
        f"trained_{name}": array
        for name, array in curvatures(model, trained, inputs, labels, seed=config["seed"]).items()
    }
    drawn = [trained[shown]]
    for kind in ("built", "trained"):
        # As steep as it takes to have the training loss of each trained network in turn.
        matched = [
            with_loss(model, circle[kind], inputs.cpu(), labels.cpu(), float(loss))
            for loss in minima["train_loss"]
        ]
        found[f"circle_{kind}_matched"] = np.array([vector is not None for vector in matched])
        circles = on_device([circle[kind] if vector is None else vector for vector in matched])
        found |= {f"circle_{kind}_{name}": array for name, array in sharpness(circles).items()}
        drawn.append(circles[shown])
    # The rough copy shows what training on the dense rings had to mend.
    checked = [*drawn[1:], on_device([circle["rough"]])[0]]
    followed = boundaries(model, torch.stack(checked), rings, angles=config["angles"])
    found |= {f"circles_{name}": array for name, array in followed.items()}
    reach = 2 * float(np.median(survey["radii"][0, shown, len(config["cutoffs"]) - 1]))
    distance = np.linspace(-reach, reach, config["slice_points"])
    loss = lines(
        model,
        torch.stack(drawn[:2]),
        inputs,
        labels,
        distance,
        kind=config["direction_kind"],
        count=config["slice_directions"],
        seed=config["seed"],
    )
    drawing = pictures(model, torch.stack(drawn[:2]), rings, points=config["boundary_points"])
    write_arrays(
        job.outputs["sharpness"],
        {
            **found,
            **drawing,
            "shown": np.array([shown]),
            "distance": distance,
            "loss_1d": loss,
            "train_inputs": dataset.train_inputs,
            "train_labels": dataset.train_labels,
        },
    )


run(snakemake, main)
