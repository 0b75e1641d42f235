"""The log of a process: one format for commands, stages and jobs."""

import logging

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


def log_to_stderr() -> None:
    """Print what this process logs, from level INFO on, to standard error, which stages and jobs have in a file."""
    logging.basicConfig(level=logging.INFO, format=FORMAT)
