job(
    "claims",
    "Setting every claim beside its measurement",
    outputs={"measurements": "measurements.json", "claims": "claims.json"},
    gpu=False,
    source_files=["report/claims"],
    claims=ancient(sorted(map(str, Path("report/claims").glob("*.yaml")))),
    **{
        f"{experiment}__{name}": files
        for experiment, measured_by in MEASURED.items()
        for name, files in measured_by.items()
    },
)

job(
    "report",
    "Writing the report",
    outputs={
        # The first page is called ``page``: it stands for all of them.
        **{
            page.key: f"report/{page.file}"
            for page in pages_of(REPORTED, bool(PUBLISHED))
        },
        "style": "report/report.css",
        "script": "report/report.js",
        "slides_style": "report/slides.css",
        "slides_script": "report/slides.js",
        "slides_record": "report/slides.json",
        "network": "report/network.js",
        "living": "report/living.js",
        "dimensions": "report/dimensions.js",
        "measurements": "report/measurements.json",
        "claims": "report/claims.json",
        "provenance": "report/provenance.json",
        **{f"published_{run.name}": f"report/{run / RECORD}" for run in PUBLISHED},
    },
    gpu=False,
    # The record of a published run says what it is, to the last byte.
    source_files=["report", "requirements.lock", *(run / RECORD for run in PUBLISHED)],
    figures=[
        file for declared in FIGURES for file in recorded(**declared.files).values()
    ],
    measurements=rules.claims.output.measurements,
    claims=rules.claims.output.claims,
)

job(
    "slides",
    "Drawing the slides",
    outputs={"slides": "report/slides.pdf"},
    gpu=False,
    deck=rules.report.output.slides_record,
    figures=[declared.files["pdf"] for declared in FIGURES if "pdf" in declared.files],
)

job(
    "inventory",
    "Listing every file of the run",
    outputs={"inventory": "inventory.json"},
    gpu=False,
    # What no other job is made from, and yet decides what a run makes.
    source_files=[
        "Snakefile",
        "workflow/rules",
        "workflow/schemas",
        "src/flatminima/provenance/schemas",
        "profiles",
    ],
    page=[path for path in rules.report.output if not path.endswith(".manifest.json")],
    slides=rules.slides.output.slides,
)
