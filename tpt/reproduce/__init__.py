"""`tpt reproduce`: the paper's tables and the questions it leaves open, each a folder under `experiments/`."""
