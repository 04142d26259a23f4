"""The library on anybody's network: problems, what is found of them, and comparisons."""
