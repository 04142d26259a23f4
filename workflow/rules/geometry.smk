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


if PLANAR in DATASETS:
    BOUNDARIES = of_dataset(rules.boundaries.output.boundaries, PLANAR)
    PERTURBATIONS = of_dataset(rules.perturbations.output.perturbations, PLANAR)

    figure(
        "margins",
        slices=of_dataset(rules.slices.output.slices, PLANAR),
        boundaries=BOUNDARIES,
        selection=of_dataset(rules.selection.output.selection, PLANAR),
    )
    for way, title in {
        "random": "Perturbed at random",
        "hessian": "Perturbed where the loss bends most",
    }.items():
        figure(
            f"perturbation-{way}",
            drawn_by="perturbation",
            title=title,
            settings={"way": way},
            perturbations=PERTURBATIONS,
        )
        figure(
            f"perturbation-{way}",
            drawn_by="animation",
            suffixes=("webp", "gif"),
            settings={"way": way},
            perturbations=PERTURBATIONS,
        )
    figure(
        "margin-widths",
        margins=of_dataset(rules.margins.output.margins, PLANAR),
    )
    figure("boundaries", boundaries=BOUNDARIES)
    figure(
        "living",
        suffixes=("data.js",),
        rays=of_dataset(rules.rays.output.rays, PLANAR),
        dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
    )

if IMAGES in DATASETS:
    figure(
        "slices-images",
        drawn_by="slices",
        settings={"source": configuration.source_of(config, IMAGES)},
        slices=of_dataset(rules.slices.output.slices, IMAGES),
        selection=of_dataset(rules.selection.output.selection, IMAGES),
    )

for dataset in DATASETS:
    source = {"source": configuration.source_of(config, dataset)}
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
