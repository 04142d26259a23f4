job(
    "random_labels_train",
    "Training on random labels, and then without poison",
    outputs={"minima": "minima/random_labels.safetensors"},
    dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
    poisoned=every_factor(rules.train.output.minima, PLANAR),
)

job(
    "random_labels_survey",
    "Measuring basins of bad minima without poison",
    outputs={"survey": "surveys/random_labels.safetensors"},
    dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
    minima=rules.random_labels_train.output.minima,
)

SURVEYS = {
    "survey": rules.random_labels_survey.output.survey,
    "summary": of_dataset(rules.summary.output.summary, PLANAR),
}
measured("random_labels", **SURVEYS)
figure("random-labels", **SURVEYS)
