"""Fetch the public corpora and check that they are complete."""
