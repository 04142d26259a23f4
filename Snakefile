# The map: settings, rooms, and what a run makes in the end.
# `snakemake --cores 8 --resources gpu=1` regenerates what is stale and nothing else.


import sys


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/poisoned.smk"


for experiment in EXPERIMENTS:

    include: f"workflow/rules/{experiment}.smk"


if PLANAR in EXPERIMENTS:

    include: "workflow/rules/living.smk"


include: "workflow/rules/report.smk"


# A figure has several files.
STEMS = list(dict.fromkeys(declared.stem for declared in FIGURES))


onstart:
    PLAN.begin()


onerror:
    shell(
        "{sys.executable:q} workflow/scripts/partial_report.py {RESULTS:q} "
        "--experiments {REPORTED:q} --figures {STEMS:q} || true"
    )


rule all:
    default_target: True
    input:
        rules.inventory.output.inventory,
