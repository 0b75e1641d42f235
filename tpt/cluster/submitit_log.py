"""What submitit writes in a job's log, as far as tpt recognises it; `tests/cluster/test_submitit_parts.py` guards this.

Apart from `submitit_parts`, because `tpt status` reads logs and importing submitit would slow it down.
"""

import re

STARTED = "Starting with JobEnvironment"  # first of all
REQUEUED = "Exiting gracefully after preemption/timeout."  # last before a requeue
ENDED_WELL = "Exiting after successful completion"  # last of all

# A line of submitit's own, in its own format or, once a root logger is configured, also in that one's.
LINE = re.compile(r"(\S+ \S+ )?submitit (INFO|WARNING|ERROR)")
