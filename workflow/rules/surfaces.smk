# Residual networks as they are, and without their skip connections.
SKIPS = ["with", "without"]


rule surfaces_train:
    input:
        recipe=recipe("surfaces_train"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    output:
        **recorded(minima=f"{RESULTS}/minima/surfaces/{{skips}}.safetensors"),
    log:
        f"{RESULTS}/logs/surfaces_train/{{skips}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/surfaces_train/{{skips}}.tsv"
    wildcard_constraints:
        skips="|".join(SKIPS),
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training deep networks {wildcards.skips} skip connections"
    script:
        "../scripts/surfaces_train.py"


rule surfaces_survey:
    input:
        recipe=recipe("surfaces_survey"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
        minima=rules.surfaces_train.output.minima,
    output:
        **recorded(surfaces=f"{RESULTS}/surfaces/{{skips}}.safetensors"),
    log:
        f"{RESULTS}/logs/surfaces_survey/{{skips}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/surfaces_survey/{{skips}}.tsv"
    wildcard_constraints:
        skips="|".join(SKIPS),
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Measuring the loss around deep networks {wildcards.skips} skip connections"
    script:
        "../scripts/surfaces_survey.py"


rule figure_surfaces:
    input:
        recipe=recipe("figure_surfaces"),
        minima=expand(rules.surfaces_train.output.minima, skips=SKIPS),
        surfaces=expand(rules.surfaces_survey.output.surfaces, skips=SKIPS),
    output:
        **pictures(f"{FIGURES}/surfaces"),
    log:
        f"{RESULTS}/logs/figure_surfaces.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_surfaces.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing the loss around deep networks with and without skip connections"
    script:
        "../scripts/figure_surfaces.py"
