ARCHITECTURES = list(config["experiments"]["architectures"]["models"])


rule architectures_train:
    input:
        recipe=recipe("architectures_train"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    output:
        **recorded(course=f"{RESULTS}/architectures/{{model}}.safetensors"),
    log:
        f"{RESULTS}/logs/architectures_train/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/architectures_train/{{model}}.tsv"
    wildcard_constraints:
        model="|".join(ARCHITECTURES),
    resources:
        gpu=GPU,
    message:
        "Training the model {wildcards.model} on images"
    script:
        "../scripts/architectures_train.py"


measured(
    "architectures",
    curves=expand(rules.architectures_train.output.course, model=ARCHITECTURES),
)

figure(
    "architectures",
    title=f"Networks and a linear model on {name_of(source_of(config, IMAGES))}",
    settings={"source": source_of(config, IMAGES)},
    courses=expand(rules.architectures_train.output.course, model=ARCHITECTURES),
)
