# The data sets whose minima are joined.
JOINED = configuration.joined(config)


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
        dataset=one_of(JOINED),
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Joining minima of {wildcards.dataset} by curves of low loss"
    script:
        "../scripts/mode_connectivity.py"


for dataset in JOINED:
    figure(
        f"mode-connectivity-{dataset}",
        drawn_by="mode_connectivity",
        title=f"Curves between good and bad minima of {CALLED[dataset]}",
        settings={"source": configuration.source_of(config, dataset)},
        paths=of_dataset(rules.mode_connectivity.output.paths, dataset),
    )
