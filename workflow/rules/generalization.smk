ARCHITECTURES = list(config["experiments"]["architectures"]["models"])
OPTIMIZERS = list(config["experiments"]["optimizers"]["learning_rates"])


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
