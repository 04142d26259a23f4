# Residual networks as they are, and without their skip connections.
SKIPS = ["with", "without"]

job(
    "skip_connections_train",
    "Training deep networks {wildcards.skips} skip connections",
    outputs={"minima": "minima/surfaces/{skips}.safetensors"},
    constraints={"skips": one_of(SKIPS)},
    dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
)

job(
    "skip_connections_survey",
    "Measuring the loss around deep networks {wildcards.skips} skip connections",
    outputs={"surfaces": "surfaces/{skips}.safetensors"},
    constraints={"skips": one_of(SKIPS)},
    dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
    minima=rules.skip_connections_train.output.minima,
)

SURFACES = {
    "surfaces": expand(rules.skip_connections_survey.output.surfaces, skips=SKIPS),
    "minima": expand(rules.skip_connections_train.output.minima, skips=SKIPS),
}
measured("skip_connections", **SURFACES)
figure("skip-connections", settings={"source": source_of(config, IMAGES)}, **SURFACES)
