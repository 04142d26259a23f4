ARCHITECTURES = list(config["experiments"]["architectures"]["models"])

job(
    "architectures_train",
    "Training the model {wildcards.model} on images",
    outputs={"course": "architectures/{model}.safetensors"},
    constraints={"model": one_of(ARCHITECTURES)},
    dataset=of_dataset(rules.dataset.output.dataset, IMAGES),
)

COURSES = expand(rules.architectures_train.output.course, model=ARCHITECTURES)

measured("architectures", curves=COURSES)

figure(
    "architectures",
    title=f"Networks and a linear model on {name_of(source_of(config, IMAGES))}",
    settings={"source": source_of(config, IMAGES)},
    courses=COURSES,
)
