rule volumes:
    input:
        recipe=recipe("volumes"),
        dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
        selection=of_dataset(rules.selection.output.selection, PLANAR),
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(volumes=f"{RESULTS}/volumes/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/volumes/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/volumes/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=PLANAR,
    resources:
        gpu=GPU,
    message:
        "Measuring volumes of {wildcards.dataset} by every estimator"
    script:
        "../scripts/volumes.py"


measured("volumes", volumes=of_dataset(rules.volumes.output.volumes, PLANAR))

figure(
    "volumes",
    volumes=of_dataset(rules.volumes.output.volumes, PLANAR),
)
