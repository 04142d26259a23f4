OPTIMIZERS = list(optimizers.learning_rates(config))


rule optimizers_train:
    input:
        recipe=recipe("optimizers_train"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    output:
        **recorded(course=f"{RESULTS}/optimizers/{{optimizer}}.safetensors"),
    log:
        f"{RESULTS}/logs/optimizers_train/{{optimizer}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/optimizers_train/{{optimizer}}.tsv"
    wildcard_constraints:
        optimizer="|".join(OPTIMIZERS),
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training a network on images by {wildcards.optimizer}"
    script:
        "../scripts/optimizers_train.py"


measured(
    "optimizers",
    curves=expand(rules.optimizers_train.output.course, optimizer=OPTIMIZERS),
)


rule figure_optimizers:
    input:
        recipe=recipe("figure_optimizers"),
        courses=expand(rules.optimizers_train.output.course, optimizer=OPTIMIZERS),
    output:
        **pictures(f"{FIGURES}/optimizers"),
    log:
        f"{RESULTS}/logs/figure_optimizers.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_optimizers.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing what every optimizer comes to"
    script:
        "../scripts/figure_optimizers.py"
