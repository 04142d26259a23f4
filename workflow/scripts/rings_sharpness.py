from flatminima.data.dataset import from_arrays
from flatminima.formats.minima import Minima
from flatminima.formats.rings import Circle, RingsSurvey
from flatminima.provenance.job import Job, run
from flatminima.surveys.rings import sharpness


def main(job: Job):
    config = job.config
    return sharpness(
        RingsSurvey.read(job.inputs["survey"]),
        from_arrays(job.arrays("dataset"), job.inputs["dataset"]),
        Minima.read(job.inputs["minima"]),
        Circle.read(job.inputs["circle"]),
        hidden=config["hidden"],
        angles=config["angles"],
        measure=config["basins"],
        directions=config["slice_directions"],
        line_points=config["slice_points"],
        plane_points=config["boundary_points"],
        seed=config["seed"],
        device=job.device,
    )


run(snakemake, main)
