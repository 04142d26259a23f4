from flatminima.data.spirals import short_roll
from flatminima.models.mlp import MLP
from flatminima.provenance.job import Job, run
from flatminima.surveys.decisive import minima_masses
from flatminima.training.ensemble import Schedule, train


def main(job: Job):
    settings, seed = job.config["minima"], job.config["seed"]
    told = job.progress("good and bad minima")
    draws = []
    for draw in range(settings["draws"]):
        # Draw 0 is that of the networks that chance fits.
        points = {key: settings[key] for key in ("train_points", "poison_points")}
        dataset = short_roll(seed=seed, draw=1 + draw, **points, **job.config["data"])
        model = MLP.between(dataset.features, settings["network"]["hidden"], 1)
        kinds = [
            train(
                model,
                model.initialise(seed, range(settings[kind])),
                dataset,
                schedule=Schedule.of(settings["training"]),
                poison_factor=factor,
                device=job.device,
            )
            for kind, factor in (("good", 0.0), ("bad", settings["poison_factor"]))
        ]
        draws.append((dataset, *kinds))
    return minima_masses(
        model,
        draws,
        **{key: settings[key] for key in ("poison_factor", "common_loss", "cutoff", "width")},
        splitting=job.config["splitting"],
        runs=settings["runs"],
        seed=seed,
        report=told,
    )


run(snakemake, main)
