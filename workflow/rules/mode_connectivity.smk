# The data sets whose minima are connected.
CONNECTED = mode_connectivity.connected(config)


rule mode_connectivity:
    input:
        recipe=recipe("mode_connectivity"),
        dataset=rules.dataset.output.dataset,
        minima=extreme_factors(rules.train.output.minima),
    output:
        **recorded(paths=f"{RESULTS}/paths/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/mode_connectivity/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mode_connectivity/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(CONNECTED),
    resources:
        gpu=GPU,
    message:
        "Connecting minima of {wildcards.dataset} by curves of low loss"
    script:
        "../scripts/mode_connectivity.py"


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
