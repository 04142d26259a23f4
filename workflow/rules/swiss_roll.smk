rule rays:
    input:
        recipe=recipe("rays"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(rays=f"{RESULTS}/rays/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/rays/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rays/{{dataset}}.tsv"
    resources:
        gpu=GPU,
    message:
        "Following one direction away from minima of {wildcards.dataset}"
    script:
        "../scripts/rays.py"


rule boundaries:
    input:
        recipe=recipe("boundaries"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(boundaries=f"{RESULTS}/boundaries/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/boundaries/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/boundaries/{{dataset}}.tsv"
    resources:
        gpu=GPU,
    message:
        "Evaluating decision boundaries of {wildcards.dataset}"
    script:
        "../scripts/boundaries.py"


rule perturbations:
    input:
        recipe=recipe("perturbations"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=extreme_factors(rules.train.output.minima),
    output:
        **recorded(perturbations=f"{RESULTS}/perturbations/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/perturbations/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/perturbations/{{dataset}}.tsv"
    resources:
        gpu=GPU,
    message:
        "Perturbing a good and a bad minimum of {wildcards.dataset}"
    script:
        "../scripts/perturbations.py"


rule margins:
    input:
        recipe=recipe("margins"),
        dataset=rules.dataset.output.dataset,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(margins=f"{RESULTS}/margins/{{dataset}}.safetensors"),
    log:
        f"{RESULTS}/logs/margins/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/margins/{{dataset}}.tsv"
    resources:
        gpu=GPU,
    message:
        "Finding the margins of every network of {wildcards.dataset}"
    script:
        "../scripts/margins.py"


measured(
    PLANAR,
    dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
    summary=of_dataset(rules.summary.output.summary, PLANAR),
    selection=of_dataset(rules.selection.output.selection, PLANAR),
    slices=of_dataset(rules.slices.output.slices, PLANAR),
    perturbations=of_dataset(rules.perturbations.output.perturbations, PLANAR),
    margins=of_dataset(rules.margins.output.margins, PLANAR),
)

BOUNDARIES = of_dataset(rules.boundaries.output.boundaries, PLANAR)
PERTURBATIONS = of_dataset(rules.perturbations.output.perturbations, PLANAR)

figure(
    "margins",
    slices=of_dataset(rules.slices.output.slices, PLANAR),
    boundaries=BOUNDARIES,
    selection=of_dataset(rules.selection.output.selection, PLANAR),
)
for way, title in {
    "random": "Perturbed at random",
    "hessian": "Perturbed where the loss bends most",
}.items():
    figure(
        f"perturbation-{way}",
        drawn_by="perturbation",
        title=title,
        settings={"way": way},
        perturbations=PERTURBATIONS,
    )
    figure(
        f"perturbation-{way}",
        drawn_by="animation",
        suffixes=("webp", "gif"),
        settings={"way": way},
        perturbations=PERTURBATIONS,
    )
figure(
    "margin-widths",
    margins=of_dataset(rules.margins.output.margins, PLANAR),
)
figure("boundaries", boundaries=BOUNDARIES)
figure(
    "living",
    suffixes=("data.js",),
    rays=of_dataset(rules.rays.output.rays, PLANAR),
    dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
)
