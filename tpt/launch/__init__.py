"""One process for one stage, on this machine."""
