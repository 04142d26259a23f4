# What the experiments share that train networks at a row of poison factors.

job(
    "train",
    "Training all networks of {wildcards.dataset} at poison factor {wildcards.poison}",
    outputs={"minima": "minima/{dataset}/{poison}.safetensors"},
    constraints={"dataset": one_of(name for name in DATASETS if name != IMAGES)},
    dataset=rules.dataset.output.dataset,
)

job(
    "selection",
    "Choosing the minima of {wildcards.dataset} to show",
    outputs={"selection": "selection/{dataset}.json"},
    gpu=False,
    minima=all_factors(rules.train.output.minima),
)

# What jobs read that look around the minima that are shown: one of each poison factor, and a pair.
SHOWN_MINIMA = {
    "dataset": rules.dataset.output.dataset,
    "selection": rules.selection.output.selection,
    "minima": all_factors(rules.train.output.minima),
}
PAIR = {**SHOWN_MINIMA, "minima": extreme_factors(rules.train.output.minima)}

job(
    "basins",
    "Measuring basins of {wildcards.dataset} at poison factor {wildcards.poison}",
    outputs={"basins": "basins/{dataset}/{poison}.safetensors"},
    split="directions",
    dataset=rules.dataset.output.dataset,
    minima=rules.train.output.minima,
)

job(
    "slices",
    "Slicing the loss around a good and a bad minimum of {wildcards.dataset}",
    outputs={"slices": "slices/{dataset}.safetensors"},
    **SHOWN_MINIMA,
)

job(
    "summary",
    "Summing up every network of {wildcards.dataset}",
    outputs={"summary": "summaries/{dataset}.safetensors"},
    gpu=False,
    minima=all_factors(rules.train.output.minima),
    basins=all_factors(rules.basins.output.basins),
)

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
