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
    resources:
        gpu=GPU,
    message:
        "Training a network on images by {wildcards.optimizer}"
    script:
        "../scripts/optimizers_train.py"


measured(
    "optimizers",
    curves=expand(rules.optimizers_train.output.course, optimizer=OPTIMIZERS),
)

figure(
    "optimizers",
    title=f"One network, many optimizers, on {name_of(source_of(config, IMAGES))}",
    settings={"source": source_of(config, IMAGES)},
    courses=expand(rules.optimizers_train.output.course, optimizer=OPTIMIZERS),
)
