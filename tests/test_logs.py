"""The log of a process: one format, on standard error."""

import re
import subprocess
import sys

LOGGING = """
import logging
from tpt.logs import log_to_stderr
log_to_stderr()
logging.getLogger("tpt.some.module").info("5 of %d", 6)
logging.getLogger("tpt.some.module").debug("details")
"""


def test_a_log_line_says_when_and_where_and_goes_to_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ tpt\.some\.module INFO 5 of 6\n", done.stderr)
