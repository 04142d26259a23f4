# The data sets whose minima are connected.
CONNECTED = mode_connectivity.connected(config)

job(
    "mode_connectivity",
    "Connecting minima of {wildcards.dataset} by curves of low loss",
    outputs={"paths": "paths/{dataset}.safetensors"},
    constraints={"dataset": one_of(CONNECTED)},
    dataset=rules.dataset.output.dataset,
    minima=extreme_factors(rules.train.output.minima),
)

measured(
    "mode_connectivity",
    paths=expand(rules.mode_connectivity.output.paths, dataset=CONNECTED),
)

for dataset in CONNECTED:
    figure(
        f"mode-connectivity-{dataset}",
        drawn_by="mode_connectivity",
        title=f"Curves between good and bad minima of {CALLED[dataset]}",
        settings={"source": source_of(config, dataset)},
        paths=of_dataset(rules.mode_connectivity.output.paths, dataset),
    )
