job(
    "minefield_descent",
    "Training the network whose way leads through the minefield",
    outputs={"iterates": "minefield/iterates.safetensors"},
    dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
)

job(
    "minefield_search",
    "Searching a bad minimum from every iterate",
    outputs={"minima": "minefield/bad_minima.safetensors"},
    dataset=of_dataset(rules.dataset.output.dataset, "minefield"),
    iterates=rules.minefield_descent.output.iterates,
)

job(
    "minefield_embedding",
    "Embedding iterates and bad minima in the plane",
    outputs={"embedding": "minefield/embedding.safetensors"},
    gpu=False,
    iterates=rules.minefield_descent.output.iterates,
    minima=rules.minefield_search.output.minima,
)

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
