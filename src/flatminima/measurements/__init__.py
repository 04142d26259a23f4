"""Measurements: every number that the article and the claims speak of, by experiment."""
