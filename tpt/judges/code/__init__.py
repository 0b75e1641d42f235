"""Judging programs by running them on tests."""
