"""What each stage does, one module each; `tpt.runs.table` declares them."""
