"""The run folder and what a stage is: paths, manifests, identity, sharing, rounds."""
