from collections.abc import Callable
from pathlib import Path
from typing import Any

from flatminima.provenance.job import Job, run
from flatminima.report import (
    flatness,
    generalization,
    margins,
    minefield,
    mode_connectivity,
    perturbation,
    random_labels,
    rings,
    skip_connections,
    volumes,
)
from flatminima.report.claims import judge, read
from flatminima.report.measurements import as_records
from flatminima.report.poisoned import describe, describe_images, measure
from flatminima.storage import Arrays, read_arrays, read_json, write_json


def main(job: Job) -> None:
    config = job.config

    def by_dataset(name: str, read: Callable[[str], Any]) -> dict[str, Any]:
        # Files are named after their data set; no order of theirs is to be relied upon.
        return {Path(path).stem: read(path) for path in job.inputs.get(name, ())}

    summaries = by_dataset("summaries", read_arrays)

    def settings_of(name: str, dataset: Arrays) -> dict[str, float]:
        experiment, kind = config["experiments"][name], config["direction_kind"]
        network, training = experiment["network"], experiment["training"]
        if "survey" in experiment:
            return describe_images(
                dataset,
                summaries[name],
                network=network,
                training=training,
                survey=experiment["survey"],
                direction_kind=kind,
                excess=config["excess"],
            )
        return describe(
            dataset,
            hidden=network["hidden"],
            training=training,
            directions=config["directions"],
            direction_kind=kind,
            excess=config["excess"],
        )

    settings = {
        name: settings_of(name, dataset)
        for name, dataset in by_dataset("datasets", read_arrays).items()
    }
    selections = by_dataset("selections", read_json)
    measurements = measure(
        summaries,
        selections,
        by_dataset("slices", read_arrays),
        settings,
        sources={name: entry["source"] for name, entry in config["experiments"].items()},
        subsets=by_dataset("subsets", read_arrays),
        seed=config["seed"],
    )
    flatness_parts = [
        by_dataset(name, read_arrays) for name in ("measures", "spectra", "reparametrisation")
    ]
    for name in flatness_parts[0]:
        parts = (part[name] for part in flatness_parts)
        measurements |= flatness.measure(name, *parts, summaries[name], seed=config["seed"])
    if "minefield" in config:
        found = map(job.arrays, ("minefield", "iterates", "bad_minima", "embedding"))
        measurements |= minefield.measure(*found, config["minefield"])
    for name, arrays in by_dataset("margins", read_arrays).items():
        measurements |= margins.measure(name, arrays, selections[name], seed=config["seed"])
    for name, arrays in by_dataset("volumes", read_arrays).items():
        measurements |= volumes.measure(name, arrays, seed=config["seed"])
    for name, arrays in by_dataset("perturbations", read_arrays).items():
        measurements |= perturbation.measure(name, arrays)
    if "rings" in config:
        measurements |= rings.measure(
            job.arrays("rings_survey"),
            job.arrays("rings_sharpness"),
            rings.describe(config["rings"], direction_kind=config["direction_kind"]),
            seed=config["seed"],
        )
    if "random_labels" in config:
        measurements |= random_labels.measure(
            job.arrays("random_labels"),
            summaries[random_labels.DATA],
            random_labels.describe(
                config["random_labels"],
                directions=config["directions"],
                direction_kind=config["direction_kind"],
            ),
            seed=config["seed"],
        )
    if "architectures" in config:
        measurements |= generalization.measure_architectures(
            by_dataset("architectures", read_arrays), config["architectures"], seed=config["seed"]
        )
    if "optimizers" in config:
        measurements |= generalization.measure_optimizers(
            by_dataset("optimizers", read_arrays), config["optimizers"]
        )
    if "skip_connections" in config:
        measurements |= skip_connections.measure(
            by_dataset("surfaces", read_arrays),
            by_dataset("surfaces_minima", read_arrays),
            config["skip_connections"],
            seed=config["seed"],
        )
    if "mode_connectivity" in config:
        measurements |= mode_connectivity.measure(
            by_dataset("paths", read_arrays), config["mode_connectivity"]
        )
    claims = read(Path(job.inputs["claims"][0]).parent).of(config["made"])
    write_json(job.outputs["measurements"], as_records(measurements))
    write_json(job.outputs["claims"], judge(claims, measurements, scale=config["scale"]))


run(snakemake, main)
