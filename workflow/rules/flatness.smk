rule flatness:
    input:
        recipe=recipe("flatness"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(
            measures=f"{RESULTS}/measures/{{dataset}}.safetensors",
            spectra=f"{RESULTS}/spectra/{{dataset}}.safetensors",
            reparametrisation=f"{RESULTS}/reparametrisation/{{dataset}}.safetensors",
        ),
    log:
        f"{RESULTS}/logs/measures/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measures/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=PLANAR,
    resources:
        gpu=GPU,
    message:
        "Measuring the flatness of every network of {wildcards.dataset}"
    script:
        "../scripts/flatness.py"


measured(
    "flatness",
    measures=of_dataset(rules.flatness.output.measures, PLANAR),
    spectra=of_dataset(rules.flatness.output.spectra, PLANAR),
    reparametrisation=of_dataset(rules.flatness.output.reparametrisation, PLANAR),
    summary=of_dataset(rules.summary.output.summary, PLANAR),
)

figure(
    "spectrum",
    spectra=of_dataset(rules.flatness.output.spectra, PLANAR),
)
figure(
    "flatness",  # Its correlations are those of the text, resample by resample.
    settings={"dataset": PLANAR, "seed": config["seed"]},
    measures=of_dataset(rules.flatness.output.measures, PLANAR),
    summary=of_dataset(rules.summary.output.summary, PLANAR),
)
figure(
    "reparametrisation",
    reparametrisation=of_dataset(rules.flatness.output.reparametrisation, PLANAR),
)
