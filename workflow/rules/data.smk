for source in IMAGE_SOURCES.values():
    for parcel, checksums in source.files.parcels().items() if source.files else ():

        rule:
            name:
                f"download_{source.name}_{parcel}"
            output:
                [
                    ensure(
                        f"{DOWNLOADS}/{source.name}/{file}",
                        non_empty=True,
                        **dict([sums.strongest()]),
                    )
                    for file, sums in checksums.items()
                ],
            log:
                f"{DOWNLOADS}/logs/{source.name}/{parcel}.log",
            params:
                source=source.name,
                parcel=parcel,
                mirror=configuration.mirror(config, source.name),
            message:
                f"Downloading {parcel} of {source.title}"
            script:
                "../scripts/download.py"


job(
    "dataset",
    "Drawing and splitting {wildcards.dataset}",
    outputs={"dataset": "datasets/{dataset}.safetensors"},
    gpu=False,
    constraints={"dataset": one_of([*DATASETS, IMAGES, "minefield"])},
    files=image_files,
)
