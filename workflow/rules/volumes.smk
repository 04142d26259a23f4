job(
    "volumes",
    "Measuring volumes of {wildcards.dataset} by every estimator",
    outputs={"volumes": "volumes/{dataset}.safetensors"},
    constraints={"dataset": PLANAR},
    **SHOWN_MINIMA,
)

VOLUMES = of_dataset(rules.volumes.output.volumes, PLANAR)
measured("volumes", volumes=VOLUMES)
figure("volumes", volumes=VOLUMES)
