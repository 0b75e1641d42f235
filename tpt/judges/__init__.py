"""Judging: which samples are right, and which rule decided."""
