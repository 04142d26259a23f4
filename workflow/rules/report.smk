# The figures of each experiment, and what else the claims about it rest on.
FIGURES_OF = {
    "minefield": lambda: [
        *rules.figure_minefield.output,
        *rules.figure_minefield_embeddings.output,
        *rules.figure_minefield_distances.output,
    ],
    PLANAR: lambda: [
        *rules.figure_margins.output,
        *rules.figure_boundaries.output,
        *expand(rules.figure_perturbation.output, way=DIRECTIONS),
        *expand(rules.figure_animation.output, way=DIRECTIONS),
        *rules.figure_margin_widths.output,
        *expand(rules.figure_gap.output, dataset=PLANAR),
        *expand(rules.figure_basins.output, dataset=PLANAR),
        *rules.figure_living.output,
    ],
    "volumes": lambda: rules.figure_volumes.output,
    "flatness": lambda: [
        *rules.figure_spectrum.output,
        *rules.figure_flatness.output,
        *rules.figure_reparametrisation.output,
    ],
    IMAGES: lambda: [
        *expand(rules.figure_slices.output, dataset=IMAGES),
        *expand(rules.figure_gap.output, dataset=IMAGES),
        *expand(rules.figure_basins.output, dataset=IMAGES),
    ],
    "architectures": lambda: rules.figure_architectures.output,
    "optimizers": lambda: rules.figure_optimizers.output,
    "skip_connections": lambda: rules.figure_skip_connections.output,
    "rings": lambda: [*rules.figure_rings.output, *rules.figure_rings_gap.output],
    "random_labels": lambda: rules.figure_random_labels.output,
    "mode_connectivity": lambda: expand(
        rules.figure_mode_connectivity.output, dataset=CONNECTED
    ),
}


rule claims:
    input:
        **{
            f"{experiment}__{name}": files
            for experiment, measured_by in MEASURED.items()
            for name, files in measured_by.items()
        },
        recipe=recipe("claims", "report/claims.yaml"),
        claims=ancient("report/claims.yaml"),
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
        figures=[file for name in EXPERIMENTS for file in FIGURES_OF.get(name, list)()],
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
