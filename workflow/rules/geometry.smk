rule basins:
    input:
        recipe=recipe("basins"),
        dataset=rules.dataset.output.dataset,
        minima=rules.train.output.minima,
    output:
        **recorded(basins=f"{RESULTS}/basins/{{dataset}}/{{poison}}.safetensors"),
    log:
        f"{RESULTS}/logs/basins/{{dataset}}/{{poison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/basins/{{dataset}}/{{poison}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Measuring basins of {wildcards.dataset} at poison factor {wildcards.poison}"
    script:
        "../scripts/basins.py"


rule slices:
    input:
        recipe=recipe("slices"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(slices=f"{RESULTS}/slices/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/slices/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/slices/{{dataset}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Slicing the loss around a good and a bad minimum of {wildcards.dataset}"
    script:
        "../scripts/slices.py"


rule rays:
    input:
        recipe=recipe("rays"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(rays=f"{RESULTS}/rays/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/rays/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rays/{{dataset}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Following one direction away from minima of {wildcards.dataset}"
    script:
        "../scripts/rays.py"


rule boundaries:
    input:
        recipe=recipe("boundaries"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(boundaries=f"{RESULTS}/boundaries/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/boundaries/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/boundaries/{{dataset}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Evaluating decision boundaries of {wildcards.dataset}"
    script:
        "../scripts/boundaries.py"


rule perturbations:
    input:
        recipe=recipe("perturbations"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=extreme_factors(rules.train.output.minima),
    output:
        **recorded(perturbations=f"{RESULTS}/perturbations/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/perturbations/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/perturbations/{{dataset}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Perturbing a good and a bad minimum of {wildcards.dataset}"
    script:
        "../scripts/perturbations.py"


rule margins:
    input:
        recipe=recipe("margins"),
        dataset=rules.dataset.output.dataset,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(margins=f"{RESULTS}/margins/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/margins/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/margins/{{dataset}}.tsv"
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Finding the margins of every network of {wildcards.dataset}"
    script:
        "../scripts/margins.py"


rule subsets:
    input:
        recipe=recipe("subsets"),
        dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
        selection=of_dataset(rules.selection.output.selection, IMAGES),
        minima=extreme_factors(rules.images_train.output.minima),
    output:
        **recorded(subsets=f"{RESULTS}/subsets/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/subsets/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/subsets/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=IMAGES,
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Measuring basins of {wildcards.dataset} on halves of the points"
    script:
        "../scripts/subsets.py"


rule summary:
    input:
        recipe=recipe("summary"),
        minima=all_factors(rules.train.output.minima),
        basins=all_factors(rules.basins.output.basins),
    output:
        **recorded(summary=f"{RESULTS}/summaries/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/summary/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/summary/{{dataset}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Summing up every network of {wildcards.dataset}"
    script:
        "../scripts/summary.py"
