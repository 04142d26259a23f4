"""What is said of minima that are moved, wherever it is said: how, and when one has failed."""

WAYS = ("random", "hessian")
"""The two ways of moving: along a random direction, and along the top Hessian eigenvector."""

HELD = 0.99
"""Training accuracy below which a moved network counts as having failed."""
