"""How fast it is, beside others and beside what the machine can do: ``python -m tests.bench``."""
