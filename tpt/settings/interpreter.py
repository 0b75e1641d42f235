"""The interpreter that samples: the one that runs everything else, or another environment's (`sampler.python`).

An engine comes with a torch of its own choice. Stages talk by files, so two environments need nothing in common, except
that each has what this package imports; the package itself is the same one, whatever is installed there.
"""

import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from tpt import __version__, environment, explain
from tpt.environment import cache_dir
from tpt.errors import ConfigError
from tpt.probe import Found
from tpt.settings.sampler import SamplerConfig

PACKAGE = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
SECONDS = 180.0  # until an interpreter must have answered; imports off a cold network file system take a minute
HINT = "sampler.python= takes the interpreter of an environment, e.g. ~/engine/bin/python"


def of(config: SamplerConfig, samples: bool) -> str:
    """The interpreter that the processes of a stage, which samples or does not, are started with."""
    return config.python if config.python and samples else sys.executable


def variables(python: str) -> dict[str, str]:
    """Variables with which an interpreter imports this package, and nothing else of this environment."""
    if python == sys.executable:
        return {}
    others = environment.safe_imports().get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(_code_folder()), others]))}


def absolute(python: str) -> str:
    """The path of `sampler.python`, from any working directory. A link stays one: that is how environments are made.

    Raises:
        ConfigError: there is no program there.
    """
    path = os.path.abspath(os.path.expanduser(python))
    if not os.path.isfile(path):
        raise ConfigError(f"sampler.python={python} is not a file", HINT)
    if not os.access(path, os.X_OK):
        raise ConfigError(f"sampler.python={python} cannot be executed", HINT)
    return path


@functools.cache
def ask(python: str, thorough: bool = False) -> Found:
    """What another interpreter's environment has.

    Args:
        python: as `absolute` gives it.
        thorough: see `tpt.probe.look`.

    Raises:
        ConfigError: it is not a Python, it is too old, or packages are missing that sampling needs.
    """
    version = _run(python, "-c", "import sys; print(*sys.version_info[:2])").split()
    if len(version) != 2 or not all(part.isdecimal() for part in version):
        raise ConfigError(f"sampler.python={python} is not a Python interpreter", HINT)
    if tuple(map(int, version)) < OLDEST:
        raise ConfigError(
            f"sampler.python={python} is Python {'.'.join(version)}; tpt needs {'.'.join(map(str, OLDEST))} or newer",
            "make the engine's environment with a newer Python",
        )
    found: Found = json.loads(_run(python, "-P", "-m", "tpt.probe", *(["thorough"] if thorough else [])))
    if found["missing"]:
        raise ConfigError(
            f"the environment of sampler.python={python} lacks {', '.join(found['missing'])}",
            f"install tpt there too: {python} -m pip install think-prune-train=={__version__}",
        )
    return found


def _run(python: str, *arguments: str) -> str:
    """The last line that an interpreter prints."""
    variables_there = {**os.environ, **environment.variables(), **variables(python)}
    try:
        done = subprocess.run(
            [python, *arguments],
            env=variables_there,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"sampler.python={python} did not answer in {SECONDS:.0f} s", HINT) from None
    except OSError as error:  # a program for another machine, or a text without its interpreter
        raise ConfigError(f"sampler.python={python} does not start: {error.strerror}", HINT) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConfigError(f"sampler.python={python} fails: {lines[-1][:300]}", HINT)
    return (done.stdout.strip().splitlines() or [""])[-1]


def _code_folder() -> Path:
    """A folder with this package and nothing else: beside it there may lie all packages of this environment."""
    name = hashlib.sha256(os.fsencode(PACKAGE)).hexdigest()[:16]
    link = cache_dir() / "code" / name / "tpt"
    if not link.exists():
        with explain.in_words(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = link.with_name(f".tpt.{os.getpid()}")
            temporary.symlink_to(PACKAGE)
            temporary.replace(link)
    return link.parent
