rule flatness:
    input:
        recipe=recipe("flatness"),
        dataset=rules.dataset.output.dataset,
        selection=rules.selection.output.selection,
        minima=all_factors(rules.train.output.minima),
    output:
        **recorded(
            measures=f"{RESULTS}/measures/{{dataset}}.safetensors",
            spectra=f"{RESULTS}/spectra/{{dataset}}.safetensors",
            reparametrisation=f"{RESULTS}/reparametrisation/{{dataset}}.safetensors",
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
        "../scripts/flatness.py"


measured(
    "flatness",
    measures=of_dataset(rules.flatness.output.measures, PLANAR),
    spectra=of_dataset(rules.flatness.output.spectra, PLANAR),
    reparametrisation=of_dataset(rules.flatness.output.reparametrisation, PLANAR),
    summary=of_dataset(rules.summary.output.summary, PLANAR),
)


rule figure_spectrum:
    input:
        recipe=recipe("figure_spectrum"),
        spectra=of_dataset(rules.flatness.output.spectra, PLANAR),
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


rule figure_flatness:
    input:
        recipe=recipe("figure_flatness"),
        measures=of_dataset(rules.flatness.output.measures, PLANAR),
        summary=of_dataset(rules.summary.output.summary, PLANAR),
    output:
        **pictures(f"{FIGURES}/measures"),
    log:
        f"{RESULTS}/logs/figure_flatness.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_flatness.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing every measure of flatness against the gap"
    script:
        "../scripts/figure_flatness.py"


rule figure_reparametrisation:
    input:
        recipe=recipe("figure_reparametrisation"),
        reparametrisation=of_dataset(rules.flatness.output.reparametrisation, PLANAR),
    output:
        **pictures(f"{FIGURES}/reparametrisation"),
    log:
        f"{RESULTS}/logs/figure_reparametrisation.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_reparametrisation.tsv"
    threads: 1
    params:
        config_files=CONFIG_FILES,
    message:
        "Drawing what rescaling does to every measure"
    script:
        "../scripts/figure_reparametrisation.py"
