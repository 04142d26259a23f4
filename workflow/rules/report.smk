rule claims:
    input:
        **{
            f"{experiment}__{name}": files
            for experiment, measured_by in MEASURED.items()
            for name, files in measured_by.items()
        },
        recipe=recipe("claims", "report/claims"),
        claims=ancient(sorted(map(str, Path("report/claims").glob("*.yaml")))),
    output:
        **recorded(
            measurements=f"{RESULTS}/measurements.json",
            claims=f"{RESULTS}/claims.json",
        ),
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
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
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
