rule dataset:
    input:
        recipe=recipe("dataset"),
    output:
        **recorded(dataset=f"{RESULTS}/datasets/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dataset/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of([*DATASETS, "minefield"]),
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing and splitting {wildcards.dataset}"
    script:
        "../scripts/dataset.py"
