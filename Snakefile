# The map: settings, rooms, and what a run makes in the end.
# `snakemake --cores 8 --resources gpu=1` regenerates what is stale and nothing else.


import sys


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/geometry.smk"


if "volumes" in EXPERIMENTS:

    include: "workflow/rules/volumes.smk"


if "flatness" in EXPERIMENTS:

    include: "workflow/rules/flatness.smk"


if "minefield" in EXPERIMENTS:

    include: "workflow/rules/minefield.smk"


if "rings" in EXPERIMENTS:

    include: "workflow/rules/rings.smk"


if "architectures" in EXPERIMENTS:

    include: "workflow/rules/architectures.smk"


if "optimizers" in EXPERIMENTS:

    include: "workflow/rules/optimizers.smk"


if "random_labels" in EXPERIMENTS:

    include: "workflow/rules/random_labels.smk"


if "skip_connections" in EXPERIMENTS:

    include: "workflow/rules/skip_connections.smk"


if "mode_connectivity" in EXPERIMENTS:

    include: "workflow/rules/mode_connectivity.smk"


include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


onerror:
    shell(
        "{sys.executable:q} workflow/scripts/partial_report.py {RESULTS:q} "
        "--experiments {REPORTED:q} --figures {STEMS:q} || true"
    )


rule all:
    default_target: True
    input:
        rules.report.output.page,
