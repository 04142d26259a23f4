"""Poisoned training of ensembles of networks."""
