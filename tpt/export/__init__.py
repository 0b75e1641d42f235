"""Exports a trained round: the model with a card, and the examples that it was trained on."""
