# Residual networks as they are, and without their skip connections.
SKIPS = ["with", "without"]


rule skip_connections_train:
    input:
        recipe=recipe("skip_connections_train"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    output:
        **recorded(minima=f"{RESULTS}/minima/surfaces/{{skips}}.safetensors"),
    log:
        f"{RESULTS}/logs/skip_connections_train/{{skips}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/skip_connections_train/{{skips}}.tsv"
    wildcard_constraints:
        skips="|".join(SKIPS),
    resources:
        gpu=GPU,
    message:
        "Training deep networks {wildcards.skips} skip connections"
    script:
        "../scripts/skip_connections_train.py"


rule skip_connections_survey:
    input:
        recipe=recipe("skip_connections_survey"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
        minima=rules.skip_connections_train.output.minima,
    output:
        **recorded(surfaces=f"{RESULTS}/surfaces/{{skips}}.safetensors"),
    log:
        f"{RESULTS}/logs/skip_connections_survey/{{skips}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/skip_connections_survey/{{skips}}.tsv"
    wildcard_constraints:
        skips="|".join(SKIPS),
    resources:
        gpu=GPU,
    message:
        "Measuring the loss around deep networks {wildcards.skips} skip connections"
    script:
        "../scripts/skip_connections_survey.py"


measured(
    "skip_connections",
    minima=expand(rules.skip_connections_train.output.minima, skips=SKIPS),
    surfaces=expand(rules.skip_connections_survey.output.surfaces, skips=SKIPS),
)

figure(
    "skip-connections",
    settings={"source": source_of(config, IMAGES)},
    surfaces=expand(rules.skip_connections_survey.output.surfaces, skips=SKIPS),
    minima=expand(rules.skip_connections_train.output.minima, skips=SKIPS),
)
