"""Thinking: sampling completions with an engine."""
