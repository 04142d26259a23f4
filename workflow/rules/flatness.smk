job(
    "flatness",
    "Measuring the flatness of every network of {wildcards.dataset}",
    outputs={
        "measures": "measures/{dataset}.safetensors",
        "spectra": "spectra/{dataset}.safetensors",
        "reparametrisation": "reparametrisation/{dataset}.safetensors",
    },
    logs="measures",
    constraints={"dataset": PLANAR},
    **SHOWN_MINIMA,
)

MEASURES = of_dataset(rules.flatness.output.measures, PLANAR)
SPECTRA = of_dataset(rules.flatness.output.spectra, PLANAR)
RESCALED = of_dataset(rules.flatness.output.reparametrisation, PLANAR)
SUMMARY = of_dataset(rules.summary.output.summary, PLANAR)

measured(
    "flatness",
    measures=MEASURES,
    spectra=SPECTRA,
    reparametrisation=RESCALED,
    summary=SUMMARY,
)

figure("spectrum", spectra=SPECTRA)
figure(
    "flatness",  # Its correlations are those of the text, resample by resample.
    settings={"dataset": PLANAR, "seed": config["seed"]},
    measures=MEASURES,
    summary=SUMMARY,
)
figure("reparametrisation", reparametrisation=RESCALED)
