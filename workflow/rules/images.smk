job(
    "images_train",
    "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}",
    outputs={"minima": "minima/{dataset}/{poison}.safetensors"},
    logs="train",
    split="seeds",
    constraints={"dataset": IMAGES},
    dataset=rules.dataset.output.dataset,
)

job(
    "subsets",
    "Measuring basins of {wildcards.dataset} on halves of the points",
    outputs={"subsets": "subsets/{dataset}.safetensors"},
    constraints={"dataset": IMAGES},
    **PAIR,
)

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
