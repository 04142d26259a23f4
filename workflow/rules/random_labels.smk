rule random_labels_train:
    input:
        recipe=recipe("random_labels_train"),
        dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
        poisoned=every_factor(rules.train.output.minima, PLANAR),
    output:
        **recorded(minima=f"{RESULTS}/minima/random_labels.safetensors"),
    log:
        f"{RESULTS}/logs/random_labels_train.log",
    benchmark:
        f"{RESULTS}/benchmarks/random_labels_train.tsv"
    resources:
        gpu=GPU,
    message:
        "Training on random labels, and then without poison"
    script:
        "../scripts/random_labels_train.py"


rule random_labels_survey:
    input:
        recipe=recipe("random_labels_survey"),
        dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
        minima=rules.random_labels_train.output.minima,
    output:
        **recorded(survey=f"{RESULTS}/surveys/random_labels.safetensors"),
    log:
        f"{RESULTS}/logs/random_labels_survey.log",
    benchmark:
        f"{RESULTS}/benchmarks/random_labels_survey.tsv"
    resources:
        gpu=GPU,
    message:
        "Measuring basins of bad minima without poison"
    script:
        "../scripts/random_labels_survey.py"


measured(
    "random_labels",
    survey=rules.random_labels_survey.output.survey,
    summary=of_dataset(rules.summary.output.summary, PLANAR),
)

figure(
    "random-labels",
    survey=rules.random_labels_survey.output.survey,
    summary=of_dataset(rules.summary.output.summary, PLANAR),
)
