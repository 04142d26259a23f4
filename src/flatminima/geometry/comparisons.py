"""What surveys of flatness compare, by name."""

LOSSES = ("own", "matched")
"""At the loss of the minimum itself, and at a loss that is the same for all."""

RESCALINGS = ("trained", "layers", "units")
"""A minimum as it was trained, and after each of the two kinds of rescaling."""
