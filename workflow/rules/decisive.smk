job(
    "decisive_chance",
    "Fitting networks by chance, and training others beside them",
    outputs={"chance": "surveys/decisive.safetensors"},
)

job(
    "decisive_minima",
    "Training good and bad minima on several draws, and measuring one mass around all",
    outputs={"minima": "surveys/decisive_minima.safetensors"},
)

measured(
    "decisive",
    chance=rules.decisive_chance.output.chance,
    minima=rules.decisive_minima.output.minima,
)

figure("decisive", chance=rules.decisive_chance.output.chance)
figure("decisive-minima", minima=rules.decisive_minima.output.minima)
