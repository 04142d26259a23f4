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
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}"
    script:
        "../scripts/train.py"


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


rule minefield_descent:
    input:
        recipe=recipe("minefield_descent"),
        dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
    output:
        **recorded(iterates=f"{RESULTS}/minefield/iterates.safetensors"),
    log:
        f"{RESULTS}/logs/minefield_descent.log",
    benchmark:
        f"{RESULTS}/benchmarks/minefield_descent.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Training the network whose way leads through the minefield"
    script:
        "../scripts/minefield_descent.py"


rule minefield_search:
    input:
        recipe=recipe("minefield_search"),
        dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
        iterates=rules.minefield_descent.output.iterates,
    output:
        **recorded(minima=f"{RESULTS}/minefield/bad_minima.safetensors"),
    log:
        f"{RESULTS}/logs/minefield_search.log",
    benchmark:
        f"{RESULTS}/benchmarks/minefield_search.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Searching a bad minimum from every iterate"
    script:
        "../scripts/minefield_search.py"
