"""Running a stage in a process of its own on this machine."""
