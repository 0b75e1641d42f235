"""Supervised fine-tuning on the kept examples."""
