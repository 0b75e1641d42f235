"""Pruning: which samples become training examples."""
