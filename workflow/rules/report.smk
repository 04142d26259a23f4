# What else than tables the claims about each experiment rest on.
MEASURED_OF = {
    "minefield": lambda: {
        "minefield": of_dataset(rules.dataset.output.dataset, "minefield"),
        "iterates": rules.minefield_descent.output.iterates,
        "bad_minima": rules.minefield_search.output.minima,
        "embedding": rules.minefield_embedding.output.embedding,
    },
    PLANAR: lambda: {
        "perturbations": expand(
            rules.perturbations.output.perturbations, dataset=PLANAR
        ),
        "margins": expand(rules.margins.output.margins, dataset=PLANAR),
    },
    "volumes": lambda: {
        "volumes": expand(rules.volumes.output.volumes, dataset=PLANAR),
    },
    "flatness": lambda: {
        "measures": expand(rules.flatness.output.measures, dataset=PLANAR),
        "spectra": expand(rules.flatness.output.spectra, dataset=PLANAR),
        "reparametrisation": expand(
            rules.flatness.output.reparametrisation, dataset=PLANAR
        ),
    },
    "architectures": lambda: {
        "architectures": expand(
            rules.architectures_train.output.course, model=ARCHITECTURES
        ),
    },
    "optimizers": lambda: {
        "optimizers": expand(
            rules.optimizers_train.output.course, optimizer=OPTIMIZERS
        ),
    },
    "skip_connections": lambda: {
        "surfaces_minima": expand(rules.skip_connections_train.output.minima, skips=SKIPS),
        "surfaces": expand(rules.skip_connections_survey.output.surfaces, skips=SKIPS),
    },
    IMAGES: lambda: {"subsets": expand(rules.subsets.output.subsets, dataset=IMAGES)},
    "rings": lambda: {
        "rings_survey": rules.rings_survey.output.survey,
        "rings_sharpness": rules.rings_sharpness.output.sharpness,
    },
    "random_labels": lambda: {
        "random_labels": rules.random_labels_survey.output.survey,
    },
    "mode_connectivity": lambda: {"paths": expand(rules.mode_connectivity.output.paths, dataset=JOINED)},
}


rule claims:
    input:
        **of_experiments(MEASURED_OF),
        recipe=recipe("claims", "report/claims.yaml"),
        claims=ancient("report/claims.yaml"),
        datasets=expand(rules.dataset.output.dataset, dataset=DATASETS),
        summaries=expand(rules.summary.output.summary, dataset=DATASETS),
        selections=expand(rules.selection.output.selection, dataset=DATASETS),
        slices=expand(rules.slices.output.slices, dataset=DATASETS),
    output:
        **recorded(
            measurements=f"{RESULTS}/measurements.json",
            claims=f"{RESULTS}/claims.json",
        ),
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Setting every claim beside its measurement"
    script:
        "../scripts/claims.py"


rule report:
    input:
        recipe=recipe(
            "report",
            "report",
            "requirements.lock",
            # Its record says what a published run is, to the last byte.
            *(run / RECORD for run in PUBLISHED),
        ),
        figures=[
            file
            for declared in FIGURES
            for file in recorded(**declared.files).values()
        ],
        measurements=rules.claims.output.measurements,
        claims=rules.claims.output.claims,
    output:
        **recorded(
            page=f"{RESULTS}/report/index.html",
            style=f"{RESULTS}/report/report.css",
            script=f"{RESULTS}/report/report.js",
            network=f"{RESULTS}/report/network.js",
            living=f"{RESULTS}/report/living.js",
            measurements=f"{RESULTS}/report/measurements.json",
            claims=f"{RESULTS}/report/claims.json",
            provenance=f"{RESULTS}/report/provenance.json",
            **{
                f"published_{run.name}": f"{RESULTS}/report/{run / RECORD}"
                for run in PUBLISHED
            },
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
