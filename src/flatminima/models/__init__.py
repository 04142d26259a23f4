"""Architectures as functions of flat parameter vectors, evaluated many networks at a time."""
