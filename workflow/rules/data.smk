rule download_svhn:
    output:
        ensure(f"{DOWNLOADS}/svhn/{{file}}", md5=lambda wildcards: MD5[wildcards.file]),
    log:
        f"{DOWNLOADS}/logs/svhn/{{file}}.log",
    wildcard_constraints:
        file="|".join(SVHN),
    threads: 1
    message:
        "Downloading {wildcards.file} of SVHN"
    script:
        "../scripts/download_svhn.py"


rule download_cifar10:
    output:
        official_files(f"{DOWNLOADS}/cifar10/{CIFAR10_FOLDER}", CIFAR10),
    log:
        f"{DOWNLOADS}/logs/cifar10.log",
    threads: 1
    message:
        "Downloading CIFAR-10"
    script:
        "../scripts/download_cifar10.py"


rule dataset:
    input:
        recipe=recipe("dataset"),
        files=image_files,
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
