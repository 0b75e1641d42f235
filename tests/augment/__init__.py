"""A stage of a user's own, between prune and train: each example once more, its completion behind a marker."""
