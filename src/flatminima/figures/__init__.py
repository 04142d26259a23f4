"""Figures: arrays in, pictures out. Nothing is computed here, and torch is never imported."""
