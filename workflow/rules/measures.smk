rule measures:
    input:
        recipe=recipe("measures"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(
            measures=f"{RESULTS}/measures/{{dataset}}.safetensors",
            spectra=f"{RESULTS}/spectra/{{dataset}}.safetensors",
            invariance=f"{RESULTS}/invariance/{{dataset}}.safetensors",
        ),
    log:
        f"{RESULTS}/logs/measures/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measures/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=PLANAR,
    threads: 1
    resources:
        gpu=GPU,
    params:
        config_files=CONFIG_FILES,
    message:
        "Measuring the flatness of every network of {wildcards.dataset}"
    script:
        "../scripts/measures.py"


rule figure_spectrum:
    input:
        recipe=recipe("figure_spectrum"),
        spectra=of_dataset(rules.measures.output.spectra, PLANAR),
    output:
        **pictures(f"{FIGURES}/spectrum"),
    log:
        f"{RESULTS}/logs/figure_spectrum.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_spectrum.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing the spectra of a good and a bad minimum"
    script:
        "../scripts/figure_spectrum.py"


rule figure_measures:
    input:
        recipe=recipe("figure_measures"),
        measures=of_dataset(rules.measures.output.measures, PLANAR),
        summary=of_dataset(rules.summary.output.summary, PLANAR),
    output:
        **pictures(f"{FIGURES}/measures"),
    log:
        f"{RESULTS}/logs/figure_measures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_measures.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing every measure of flatness against the gap"
    script:
        "../scripts/figure_measures.py"


rule figure_invariance:
    input:
        recipe=recipe("figure_invariance"),
        invariance=of_dataset(rules.measures.output.invariance, PLANAR),
    output:
        **pictures(f"{FIGURES}/invariance"),
    log:
        f"{RESULTS}/logs/figure_invariance.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_invariance.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing what rescaling does to every measure"
    script:
        "../scripts/figure_invariance.py"
