"""Placeholder."""
def alt(data): return ""
