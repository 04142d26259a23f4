"""Faults in bounded time, counted and seeded: ``python -m tests.soak --minutes 30 --kills 200``."""
