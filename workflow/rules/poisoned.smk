# What the experiments share that train networks at a row of poison factors.


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
    resources:
        gpu=GPU,
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
    message:
        "Choosing the minima of {wildcards.dataset} to show"
    script:
        "../scripts/selection.py"


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
    resources:
        gpu=GPU,
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
    resources:
        gpu=GPU,
    message:
        "Slicing the loss around a good and a bad minimum of {wildcards.dataset}"
    script:
        "../scripts/slices.py"


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
    message:
        "Summing up every network of {wildcards.dataset}"
    script:
        "../scripts/summary.py"


for dataset in DATASETS:
    source = {"source": source_of(config, dataset)}
    basins = every_factor(rules.basins.output.basins, dataset)
    figure(
        f"gap-{dataset}",
        drawn_by="gap",
        title=f"Gap, radius and volume on {CALLED[dataset]}",
        settings=source,
        summary=of_dataset(rules.summary.output.summary, dataset),
    )
    figure(
        f"basins-{dataset}",
        drawn_by="basins",
        title=f"Basins on {CALLED[dataset]}",
        settings=source,
        slices=of_dataset(rules.slices.output.slices, dataset),
        good=basins[0],
        bad=basins[-1],
        selection=of_dataset(rules.selection.output.selection, dataset),
    )
