"""Judging: what is right, and which rule decided."""
