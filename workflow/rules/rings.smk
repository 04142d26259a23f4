rule rings_dataset:
    input:
        recipe=recipe("rings_dataset"),
    output:
        **recorded(dataset=f"{RESULTS}/datasets/rings/{{gap}}.safetensors"),
    log:
        f"{RESULTS}/logs/rings_dataset/{{gap}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rings_dataset/{{gap}}.tsv"
    message:
        "Placing rings {wildcards.gap} apart"
    script:
        "../scripts/rings_dataset.py"


rule rings_train:
    input:
        recipe=recipe("rings_train"),
        dataset=rules.rings_dataset.output.dataset,
    output:
        **recorded(minima=f"{RESULTS}/minima/rings/{{gap}}.safetensors"),
    log:
        f"{RESULTS}/logs/rings_train/{{gap}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rings_train/{{gap}}.tsv"
    resources:
        gpu=GPU,
    message:
        "Training all networks on rings {wildcards.gap} apart"
    script:
        "../scripts/rings_train.py"


rule rings_circle:
    input:
        recipe=recipe("rings_circle"),
    output:
        **recorded(circle=f"{RESULTS}/circles/rings.safetensors"),
    log:
        f"{RESULTS}/logs/rings_circle.log",
    benchmark:
        f"{RESULTS}/benchmarks/rings_circle.tsv"
    resources:
        gpu=GPU,
    message:
        "Building the circle between the rings, and training a rough copy of it"
    script:
        "../scripts/rings_circle.py"


rule rings_survey:
    input:
        recipe=recipe("rings_survey"),
        datasets=all_gaps(rules.rings_dataset.output.dataset),
        minima=all_gaps(rules.rings_train.output.minima),
    output:
        **recorded(survey=f"{RESULTS}/surveys/rings.safetensors"),
    log:
        f"{RESULTS}/logs/rings_survey.log",
    benchmark:
        f"{RESULTS}/benchmarks/rings_survey.tsv"
    resources:
        gpu=GPU,
    message:
        "Following the boundaries of all networks around the rings, and measuring their basins"
    script:
        "../scripts/rings_survey.py"


rule rings_sharpness:
    input:
        recipe=recipe("rings_sharpness"),
        dataset=pinched(rules.rings_dataset.output.dataset),
        minima=pinched(rules.rings_train.output.minima),
        survey=rules.rings_survey.output.survey,
        circle=rules.rings_circle.output.circle,
    output:
        **recorded(sharpness=f"{RESULTS}/sharpness/rings.safetensors"),
    log:
        f"{RESULTS}/logs/rings_sharpness.log",
    benchmark:
        f"{RESULTS}/benchmarks/rings_sharpness.tsv"
    resources:
        gpu=GPU,
    message:
        "Measuring how sharp the circle is, and what training finds in its place"
    script:
        "../scripts/rings_sharpness.py"


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
