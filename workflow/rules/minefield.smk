rule minefield_descent:
    input:
        recipe=recipe("minefield_descent"),
        dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
    output:
        **recorded(iterates=f"{RESULTS}/minefield/iterates.safetensors"),
    log:
        f"{RESULTS}/logs/minefield_descent.log",
    benchmark:
        f"{RESULTS}/benchmarks/minefield_descent.tsv"
    message:
        "Training the network whose way leads through the minefield"
    script:
        "../scripts/minefield_descent.py"


rule minefield_search:
    input:
        recipe=recipe("minefield_search"),
        dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
        iterates=rules.minefield_descent.output.iterates,
    output:
        **recorded(minima=f"{RESULTS}/minefield/bad_minima.safetensors"),
    log:
        f"{RESULTS}/logs/minefield_search.log",
    benchmark:
        f"{RESULTS}/benchmarks/minefield_search.tsv"
    resources:
        gpu=GPU,
    message:
        "Searching a bad minimum from every iterate"
    script:
        "../scripts/minefield_search.py"


rule minefield_embedding:
    input:
        recipe=recipe("minefield_embedding"),
        iterates=rules.minefield_descent.output.iterates,
        minima=rules.minefield_search.output.minima,
    output:
        **recorded(embedding=f"{RESULTS}/minefield/embedding.safetensors"),
    log:
        f"{RESULTS}/logs/minefield_embedding.log",
    benchmark:
        f"{RESULTS}/benchmarks/minefield_embedding.tsv"
    message:
        "Embedding iterates and bad minima in the plane"
    script:
        "../scripts/minefield_embedding.py"


measured(
    "minefield",
    dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
    iterates=rules.minefield_descent.output.iterates,
    bad_minima=rules.minefield_search.output.minima,
    embedding=rules.minefield_embedding.output.embedding,
)

for stem in ("minefield", "minefield-distances", "minefield-embeddings"):
    figure(
        stem,
        iterates=rules.minefield_descent.output.iterates,
        minima=rules.minefield_search.output.minima,
        embedding=rules.minefield_embedding.output.embedding,
    )
