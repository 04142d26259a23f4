"""Surveys: each measures what one kind of file holds, tensors in, one typed record out."""
