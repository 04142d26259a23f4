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
    resources:
        gpu=GPU,
    message:
        "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}"
    script:
        "../scripts/images_train.py"


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
    resources:
        gpu=GPU,
    message:
        "Measuring basins of {wildcards.dataset} on halves of the points"
    script:
        "../scripts/subsets.py"


measured(
    IMAGES,
    dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    summary=of_dataset(rules.summary.output.summary, IMAGES),
    selection=of_dataset(rules.selection.output.selection, IMAGES),
    slices=of_dataset(rules.slices.output.slices, IMAGES),
    subsets=of_dataset(rules.subsets.output.subsets, IMAGES),
)

figure(
    "slices-images",
    drawn_by="slices",
    settings={"source": source_of(config, IMAGES)},
    slices=of_dataset(rules.slices.output.slices, IMAGES),
    selection=of_dataset(rules.selection.output.selection, IMAGES),
)
