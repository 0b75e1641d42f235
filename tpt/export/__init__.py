"""A trained round as something to hand on: the model with a card, and the examples that it was trained on."""
