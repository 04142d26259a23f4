# The figure that moves, on top of the article. The curve that it shows is there where curves are.
WALKED = (
    {
        "paths": of_dataset(rules.mode_connectivity.output.paths, PLANAR),
        "minima": [every_factor(rules.train.output.minima, PLANAR)[i] for i in (0, -1)],
    }
    if PLANAR in mode_connectivity.connected(config)
    else {}
)

figure(
    "living",
    suffixes=("data.js",),
    rays=of_dataset(rules.rays.output.rays, PLANAR),
    dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
    **WALKED,
)
figure(
    "living-still",
    perturbations=of_dataset(rules.perturbations.output.perturbations, PLANAR),
)
