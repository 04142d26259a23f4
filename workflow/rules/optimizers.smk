OPTIMIZERS = list(optimizers.learning_rates(config))

job(
    "optimizers_train",
    "Training a network on images by {wildcards.optimizer}",
    outputs={"course": "optimizers/{optimizer}.safetensors"},
    constraints={"optimizer": one_of(OPTIMIZERS)},
    dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
)

COURSES = expand(rules.optimizers_train.output.course, optimizer=OPTIMIZERS)

measured("optimizers", curves=COURSES)

figure(
    "optimizers",
    title=f"One network, many optimizers, on {name_of(source_of(config, IMAGES))}",
    settings={"source": source_of(config, IMAGES)},
    courses=COURSES,
)
