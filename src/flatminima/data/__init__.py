"""Data sets: named arrays of training, test and poison points."""
