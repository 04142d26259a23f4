from flatminima.data.dataset import from_arrays
from flatminima.devices import tensors
from flatminima.formats.minima import Minima
from flatminima.models.load import build
from flatminima.provenance.job import Job, run
from flatminima.surveys.volumes import volumes
from flatminima.training.selection import shown_pair

SPLITTING = ("particles", "moves", "runs")


def main(job: Job):
    settings = dict(job.config)
    dataset = from_arrays(job.arrays("dataset"), job.inputs["dataset"])
    minima = [Minima.read(path) for path in job.inputs["minima"]]
    vectors = [ensemble.parameters for ensemble in minima]
    pair = shown_pair(job.record("selection"), vectors)
    return volumes(
        build(settings.pop("network"), dataset.shape, dataset.logits),
        minima,
        *tensors(job.device, pair, dataset.train_inputs, dataset.train_labels),
        factors=settings.pop("poison_factors"),
        splitting={key: settings.pop(key) for key in SPLITTING},
        **settings,
        report=job.progress,
    )


run(snakemake, main)
