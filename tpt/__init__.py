"""Think, Prune, Train: let a language model improve on its own correct reasoning (arXiv 2504.18116)."""

__version__ = "0.2.0"
