"""Judging files of solutions: how a user checks the judge against labels that they trust."""
