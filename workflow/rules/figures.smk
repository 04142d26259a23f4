rule figure_margins:
    input:
        recipe=recipe("figure_margins"),
        slices=of_dataset(rules.slices.output.slices, PLANAR),
        boundaries=of_dataset(rules.boundaries.output.boundaries, PLANAR),
        selection=of_dataset(rules.selection.output.selection, PLANAR),
    output:
        **pictures(f"{FIGURES}/margins"),
    log:
        f"{RESULTS}/logs/figure_margins.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_margins.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing a good and a bad minimum"
    script:
        "../scripts/figure_margins.py"


rule figure_boundaries:
    input:
        recipe=recipe("figure_boundaries"),
        boundaries=of_dataset(rules.boundaries.output.boundaries, PLANAR),
    output:
        **pictures(f"{FIGURES}/boundaries"),
    log:
        f"{RESULTS}/logs/figure_boundaries.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_boundaries.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing decision boundaries for rising gap"
    script:
        "../scripts/figure_boundaries.py"


rule figure_gap:
    input:
        recipe=recipe("figure_gap"),
        summary=rules.summary.output.summary,
    output:
        **pictures(f"{FIGURES}/gap-{{dataset}}"),
    log:
        f"{RESULTS}/logs/figure_gap/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_gap/{{dataset}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing gap, radius and volume of {wildcards.dataset}"
    script:
        "../scripts/figure_gap.py"


rule figure_slices:
    input:
        recipe=recipe("figure_slices"),
        slices=of_dataset(rules.slices.output.slices, IMAGES),
        selection=of_dataset(rules.selection.output.selection, IMAGES),
    output:
        **pictures(f"{FIGURES}/slices-{{dataset}}"),
    log:
        f"{RESULTS}/logs/figure_slices/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_slices/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=IMAGES,
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing the loss around a good and a bad minimum of {wildcards.dataset}"
    script:
        "../scripts/figure_slices.py"


rule figure_basins:
    input:
        recipe=recipe("figure_basins"),
        slices=rules.slices.output.slices,
        basins=extreme_factors(rules.basins.output.basins),
        selection=rules.selection.output.selection,
    output:
        **pictures(f"{FIGURES}/basins-{{dataset}}"),
    log:
        f"{RESULTS}/logs/figure_basins/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_basins/{{dataset}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing the loss along many directions of {wildcards.dataset}"
    script:
        "../scripts/figure_basins.py"


rule figure_perturbation:
    input:
        recipe=recipe("figure_perturbation"),
        perturbations=of_dataset(rules.perturbations.output.perturbations, PLANAR),
    output:
        **pictures(f"{FIGURES}/perturbation-{{way}}"),
    log:
        f"{RESULTS}/logs/figure_perturbation/{{way}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_perturbation/{{way}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing what perturbation does, {wildcards.way} direction"
    script:
        "../scripts/figure_perturbation.py"


rule figure_animation:
    input:
        recipe=recipe("figure_animation"),
        perturbations=of_dataset(rules.perturbations.output.perturbations, PLANAR),
    output:
        **recorded(
            webp=f"{FIGURES}/perturbation-{{way}}.webp",
            gif=f"{FIGURES}/perturbation-{{way}}.gif",
        ),
    log:
        f"{RESULTS}/logs/figure_animation/{{way}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_animation/{{way}}.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing what perturbation does as moving pictures, {wildcards.way} direction"
    script:
        "../scripts/figure_animation.py"


rule figure_margin_widths:
    input:
        recipe=recipe("figure_margin_widths"),
        margins=of_dataset(rules.margins.output.margins, PLANAR),
    output:
        **pictures(f"{FIGURES}/margin-widths"),
    log:
        f"{RESULTS}/logs/figure_margin_widths.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_margin_widths.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing how far training points lie from the decision boundary"
    script:
        "../scripts/figure_margin_widths.py"


rule figure_living:
    input:
        recipe=recipe("figure_living"),
        dataset=of_dataset(rules.dataset.output.dataset, PLANAR),
        rays=of_dataset(rules.rays.output.rays, PLANAR),
    output:
        **recorded(data=f"{FIGURES}/living.data.js"),
    log:
        f"{RESULTS}/logs/figure_living.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_living.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Packing the networks of the living figure"
    script:
        "../scripts/figure_living.py"
