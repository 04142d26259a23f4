from collections.abc import Callable
from pathlib import Path
from typing import Any

from flatminima.configuration import read_mapping
from flatminima.provenance.job import Job, run
from flatminima.report import generalization, margins, minefield, perturbation, rings
from flatminima.report.claims import judge, parse
from flatminima.report.measurements import as_records
from flatminima.report.poisoned import describe, measure
from flatminima.storage import read_arrays, read_json, write_json


def main(job: Job) -> None:
    config = job.config

    def by_dataset(name: str, read: Callable[[str], Any]) -> dict[str, Any]:
        # Files are named after their data set; no order of theirs is to be relied upon.
        return {Path(path).stem: read(path) for path in job.inputs[name]}

    settings = {
        name: describe(
            dataset,
            hidden=config["experiments"][name]["network"]["hidden"],
            training=config["experiments"][name]["training"],
            directions=config["directions"],
            direction_kind=config["direction_kind"],
        )
        for name, dataset in by_dataset("datasets", read_arrays).items()
    }
    selections = by_dataset("selections", read_json)
    measurements = measure(
        by_dataset("summaries", read_arrays),
        selections,
        by_dataset("slices", read_arrays),
        settings,
        seed=config["seed"],
    )
    measurements |= minefield.measure(
        *map(job.arrays, ("minefield", "iterates", "bad_minima", "embedding")), config["minefield"]
    )
    for name, arrays in by_dataset("margins", read_arrays).items():
        measurements |= margins.measure(name, arrays, selections[name], seed=config["seed"])
    for name, arrays in by_dataset("perturbations", read_arrays).items():
        measurements |= perturbation.measure(name, arrays)
    measurements |= rings.measure(
        job.arrays("rings_survey"),
        job.arrays("rings_sharpness"),
        rings.describe(config["rings"], direction_kind=config["direction_kind"]),
        seed=config["seed"],
    )
    measurements |= generalization.measure_architectures(
        by_dataset("architectures", read_arrays), config["architectures"], seed=config["seed"]
    )
    measurements |= generalization.measure_optimizers(
        by_dataset("optimizers", read_arrays), config["optimizers"]
    )
    claims = parse(read_mapping(job.inputs["claims"]), job.inputs["claims"])
    write_json(job.outputs["measurements"], as_records(measurements))
    write_json(job.outputs["claims"], judge(claims, measurements, scale=config["scale"]))


run(snakemake, main)
