"""Stages that start at once: torch, transformers and Lightning are imported by one process for all of them, and forked.

Those imports take five seconds of a processor, and a stage of the tiny model takes one. The tests that start a hundred
stages, and are not about how a process starts, use this:

    with warm.imports() as warmed:
        subprocess.run([sys.executable, "-m", "tpt.cli", "run", ...], env=os.environ | warmed.environment)

What `python -m tpt.launch.worker` starts is then a process that stands for another one (`sitecustomize`), which
`server` forks. Nothing of `tpt` is imported before the fork.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass
class Warmed:
    """The process that has imported everything, and the variables with which others use it."""

    pid: int
    environment: dict[str, str]


@contextlib.contextmanager
def imports() -> Iterator[Warmed]:
    """A process that has imported what stages need; all that it has forked ends with the block."""
    with tempfile.TemporaryDirectory(prefix="tpt-warm-") as folder:
        address = f"{folder}/socket"
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        with subprocess.Popen(
            [sys.executable, "-P", str(HERE / "server.py"), address],
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as server:
            try:
                assert server.stdout
                assert server.stdout.readline() == b"ready\n"
                yield Warmed(server.pid, {"PYTHONPATH": path, "TPT_TEST_WARM": address})
            finally:
                server.kill()
