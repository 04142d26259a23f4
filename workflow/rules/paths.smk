# The data sets whose minima are joined.
JOINED = configuration.joined(config)


rule paths:
    input:
        recipe=recipe("paths"),
        dataset=rules.dataset.output.dataset,
        minima=extreme_factors(rules.train.output.minima),
    output:
        **recorded(paths=f"{RESULTS}/paths/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/paths/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/paths/{{dataset}}.tsv"
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
        "../scripts/paths.py"


rule figure_paths:
    input:
        recipe=recipe("figure_paths"),
        paths=rules.paths.output.paths,
    output:
        **pictures(f"{FIGURES}/paths-{{dataset}}"),
    log:
        f"{RESULTS}/logs/figure_paths/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_paths/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(JOINED),
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing curves of low loss between minima of {wildcards.dataset}"
    script:
        "../scripts/figure_paths.py"
