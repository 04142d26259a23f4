STEMS = list(dict.fromkeys(declared.stem for declared in FIGURES))

# Every figure that was declared, each by a job of its own.
for declared in FIGURES:

    rule:
        name:
            f"{FIGURE}_{declared.name}"
        input:
            **declared.inputs,
            recipe=figure_recipe(declared),
        output:
            **recorded(**declared.files),
        log:
            f"{RESULTS}/logs/figure/{declared.name}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figure/{declared.name}.tsv"
        message:
            f"Drawing the figure {declared.name}"
        script:
            "../scripts/figure.py"
