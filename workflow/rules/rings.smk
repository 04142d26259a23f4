job(
    "rings_dataset",
    "Placing rings {wildcards.gap} apart",
    outputs={"dataset": "datasets/rings/{gap}.safetensors"},
    gpu=False,
)

job(
    "rings_train",
    "Training all networks on rings {wildcards.gap} apart",
    outputs={"minima": "minima/rings/{gap}.safetensors"},
    dataset=rules.rings_dataset.output.dataset,
)

job(
    "rings_circle",
    "Building the circle between the rings, and training a rough copy of it",
    outputs={"circle": "circles/rings.safetensors"},
)


def all_gaps(pattern):
    """One file per gap between the rings, in rising order."""
    gaps = config["experiments"]["rings"]["training"]["gaps"]
    return expand(pattern, gap=map(factor_name, gaps))


job(
    "rings_survey",
    "Following the boundaries of all networks around the rings, and measuring their basins",
    outputs={"survey": "surveys/rings.safetensors"},
    datasets=all_gaps(rules.rings_dataset.output.dataset),
    minima=all_gaps(rules.rings_train.output.minima),
)

job(
    "rings_sharpness",
    "Measuring how sharp the circle is, and what training finds in its place",
    outputs={"sharpness": "sharpness/rings.safetensors"},
    dataset=all_gaps(rules.rings_dataset.output.dataset)[0],
    minima=all_gaps(rules.rings_train.output.minima)[0],
    survey=rules.rings_survey.output.survey,
    circle=rules.rings_circle.output.circle,
)

measured(
    "rings",
    survey=rules.rings_survey.output.survey,
    sharpness=rules.rings_sharpness.output.sharpness,
)

figure(
    "rings",
    sharpness=rules.rings_sharpness.output.sharpness,
    survey=rules.rings_survey.output.survey,
)
figure("rings-gap", survey=rules.rings_survey.output.survey)
