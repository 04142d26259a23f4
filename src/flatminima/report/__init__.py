"""Measurements, claims and the article built from them."""
