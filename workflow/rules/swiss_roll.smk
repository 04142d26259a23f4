job(
    "rays",
    "Following one direction away from minima of {wildcards.dataset}",
    outputs={"rays": "rays/{dataset}.safetensors"},
    **SHOWN_MINIMA,
)

job(
    "boundaries",
    "Evaluating decision boundaries of {wildcards.dataset}",
    outputs={"boundaries": "boundaries/{dataset}.safetensors"},
    **SHOWN_MINIMA,
)

job(
    "perturbations",
    "Perturbing a good and a bad minimum of {wildcards.dataset}",
    outputs={"perturbations": "perturbations/{dataset}.safetensors"},
    **PAIR,
)

job(
    "margins",
    "Finding the margins of every network of {wildcards.dataset}",
    outputs={"margins": "margins/{dataset}.safetensors"},
    dataset=rules.dataset.output.dataset,
    minima=all_factors(rules.train.output.minima),
)

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
figure("margin-widths", margins=of_dataset(rules.margins.output.margins, PLANAR))
figure("boundaries", boundaries=BOUNDARIES)
