from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.skip_connections import DepthMinima
from flatminima.provenance.job import Job, run
from flatminima.surveys.skip_connections import loss_surfaces
from flatminima.training.depths import networks


def main(job: Job):
    config = job.config
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = DepthMinima.read(job.inputs["minima"])
    built = networks(config, dataset)
    parameters = tensors(job.device, *(minima.parameters[str(depth)] for depth in built))
    return loss_surfaces(
        built,
        dict(zip(built, parameters, strict=True)),
        *tensors(job.device, *dataset.train_part(config["points"])),
        reach=config["reach"],
        grid_points=config["grid_points"],
        coarse_grid_points=config["coarse_grid_points"],
        # The one that is nearest to a minimum.
        shown=int(minima.train_loss[-1].argmin()),
        seed=config["seed"],
        report=job.progress("surfaces"),
    )


run(snakemake, main)
