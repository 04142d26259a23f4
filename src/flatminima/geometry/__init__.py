"""Directions, slices, basin radii and volumes of the loss around a minimum."""
