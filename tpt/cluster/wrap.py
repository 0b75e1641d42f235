"""`cluster.wrap`: the command line around a job's own, such as one that starts a container.

What it does with the job's command is in `wrapped.sh`, which is part of the code that jobs are given.
"""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from tpt.errors import ClusterError, ConfigError
from tpt.settings.cluster import ClusterConfig

COMMAND = "{command}"
EXAMPLE = "cluster.wrap='apptainer exec --nv image.sif {command}'"
OPERATORS = ";&|<>"
IMAGE = ".sif"
# The signal with which SLURM announces the end would kill Python as long as it has no handler, and the job would fail.
# Ignored until submitit handles it, a preemption during the start is a requeue, and a time limit a time-out.
PLAIN = """/bin/bash -c 'trap "" USR2; exec "$0" "$@"'"""


def python(settings: ClusterConfig, code: Path) -> str:
    """What starts Python in a job, as a piece of a shell line.

    Args:
        code: the snapshot of the package.
    """
    interpreter = shlex.quote(settings.python or sys.executable)
    if not settings.wrap:
        return f"{PLAIN} {interpreter}"
    script = code.resolve() / "tpt" / "cluster" / "wrapped.sh"
    return f"/bin/bash {shlex.quote(str(script))} {shlex.quote(settings.wrap)} {interpreter}"


def check(settings: ClusterConfig) -> None:
    """Check that `cluster.wrap`, if it is given, is one command with a place for the job's.

    Raises:
        ConfigError: it is not.
    """
    wrap = settings.wrap
    if wrap is None:
        return
    words = _words(wrap)
    # The text as well: between quotes, the shell would not divide what stands there into words.
    if wrap.count(COMMAND) != 1 or COMMAND not in words or not re.search(rf"(?<!\S){re.escape(COMMAND)}(?!\S)", wrap):
        raise ConfigError(
            f"cluster.wrap={wrap} must contain {COMMAND} once, as a word of its own and without quotes",
            f"e.g. {EXAMPLE}",
        )
    if "\n" in wrap or any(set(word) <= set(OPERATORS) for word in words):
        raise ConfigError(
            f"cluster.wrap={wrap} is more than one command", "put what comes before it into cluster.setup"
        )
    if words[0] == COMMAND:
        raise ConfigError(f"cluster.wrap={wrap} starts nothing around {COMMAND}", f"e.g. {EXAMPLE}")


def check_there(settings: ClusterConfig) -> None:
    """Check, as far as this machine can tell, that what `cluster.wrap` starts is there.

    Nothing is said of a program if lines of `cluster.setup` may provide it, or of a word with a variable in it.

    Raises:
        ClusterError: the program, or the image, is missing.
    """
    words = _words(settings.wrap or "")
    program = next((word for word in words if not re.match(r"\w+=", word)), "")
    given = bool(settings.setup) and os.sep not in program
    if program and "$" not in program and not given and not shutil.which(program):
        raise ClusterError(
            f"cluster.wrap starts {program}, which is not on this machine",
            f"correct it; if only the nodes have it, say so: cluster.setup=['command -v {program}']",
        )
    for word in words:
        named = word.endswith(IMAGE) and not word.startswith("-") and "$" not in word and "://" not in word
        if named and not Path(word).expanduser().is_file():
            raise ClusterError(
                f"cluster.wrap names the image {word}, which is not there", "give its path; the nodes must see it, too"
            )


def _words(wrap: str) -> list[str]:
    """The words of a shell line, its operators apart.

    Raises:
        ConfigError: a quote is open.
    """
    reader = shlex.shlex(wrap, posix=True, punctuation_chars=OPERATORS)
    reader.whitespace_split, reader.commenters = True, ""
    try:
        return list(reader)
    except ValueError as error:
        raise ConfigError(f"cluster.wrap={wrap} cannot be read: {error}", f"e.g. {EXAMPLE}") from error
