"""Where the log records of a process go."""

import logging

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


def log_to_stderr() -> None:
    """Print what this process logs, from level INFO on, to standard error; a stage's or a job's log file takes it there."""
    logging.basicConfig(level=logging.INFO, format=FORMAT)
