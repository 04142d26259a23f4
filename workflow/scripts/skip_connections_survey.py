import torch

from flatminima.data.dataset import from_arrays
from flatminima.devices import prepare
from flatminima.geometry.loss_surface import survey
from flatminima.provenance.job import Job, run
from flatminima.storage import write_arrays
from flatminima.training.depths import networks


def main(job: Job) -> None:
    config = job.config
    prepare(job.threads)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = job.arrays("minima")
    built = networks(config, dataset)

    def on_device(array):
        return torch.from_numpy(array).to(job.device)

    surfaces = survey(
        built,
        {depth: on_device(minima[f"parameters_{depth}"]) for depth in built},
        *map(on_device, dataset.train_part(config["points"])),
        reach=config["reach"],
        places=config["places"],
        coarse_places=config["coarse_places"],
        # The one that is nearest to a minimum.
        shown=int(minima["train_loss"][-1].argmin()),
        seed=config["seed"],
        report=job.progress("surfaces"),
    )
    write_arrays(job.outputs["surfaces"], surfaces)


run(snakemake, main)
