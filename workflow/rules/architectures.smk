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
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training the model {wildcards.model} on images"
    script:
        "../scripts/architectures_train.py"


measured(
    "architectures",
    curves=expand(rules.architectures_train.output.course, model=ARCHITECTURES),
)


rule figure_architectures:
    input:
        recipe=recipe("figure_architectures"),
        courses=expand(rules.architectures_train.output.course, model=ARCHITECTURES),
    output:
        **pictures(f"{FIGURES}/architectures"),
    log:
        f"{RESULTS}/logs/figure_architectures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_architectures.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing networks beside a linear model"
    script:
        "../scripts/figure_architectures.py"
