"""What judged samples say of a model: pass@k, majority votes, format, all with intervals."""
