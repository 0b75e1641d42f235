"""What each stage does, one module each; `tpt.run.table` declares them."""
