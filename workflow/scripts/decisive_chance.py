from flatminima.data.spirals import short_roll
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.surveys.decisive import chance


def main(job: Job):
    settings = dict(job.config)
    data, network = settings.pop("data"), settings.pop("network")
    most = max(
        *settings["prior"]["points"],
        *settings["guess"]["points"],
        settings["flipped"]["points"] + settings["flipped"]["held_out"],
    )
    dataset = short_roll(seed=settings["seed"], draw=0, train_points=most, poison_points=0, **data)
    model = MLP.between(dataset.features, network["hidden"], 1)
    return chance(model, dataset, **settings, report=job.progress)


run(snakemake, main)
