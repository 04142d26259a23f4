rule train:
    input:
        recipe=recipe("train"),
        dataset=rules.dataset.output.dataset,
    output:
        **recorded(minima=f"{RESULTS}/minima/{{dataset}}/{{poison}}.safetensors"),
    log:
        f"{RESULTS}/logs/train/{{dataset}}/{{poison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{dataset}}/{{poison}}.tsv"
    wildcard_constraints:
        dataset=one_of(name for name in DATASETS if name != IMAGES),
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}"
    script:
        "../scripts/train.py"


rule images_train:
    input:
        recipe=recipe("images_train"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    output:
        **recorded(minima=f"{RESULTS}/minima/{{dataset}}/{{poison}}.safetensors"),
    log:
        f"{RESULTS}/logs/train/{{dataset}}/{{poison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{dataset}}/{{poison}}.tsv"
    wildcard_constraints:
        dataset=IMAGES,
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}"
    script:
        "../scripts/images_train.py"


rule selection:
    input:
        recipe=recipe("selection"),
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(selection=f"{RESULTS}/selection/{{dataset}}.json"),
    log:
        f"{RESULTS}/logs/selection/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/selection/{{dataset}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Choosing the minima of {wildcards.dataset} to show"
    script:
        "../scripts/selection.py"
