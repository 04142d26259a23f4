def image_files(wildcards):
    """The files that hold the images, as inputs whose content makes stale, not their times.

    Files that are there when their manifest was written are compared by the ledger.
    """
    if wildcards.dataset != IMAGES:
        return []
    try:
        return [*map(ancient, configuration.image_files(config, CONFIG_FILES))]
    except UserError as error:
        raise WorkflowError(str(error)) from None


def official_files(folder, names):
    """The outputs of a download: files that are what their authors published."""
    return [ensure(f"{folder}/{name}", non_empty=True, md5=MD5[name]) for name in names]


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
