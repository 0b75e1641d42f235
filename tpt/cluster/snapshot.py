"""The code that a run's jobs execute: a copy taken at submission, so that later edits do not affect the run."""

import hashlib
import shutil
from pathlib import Path

from tpt.errors import RunError
from tpt.runs.folder import Run
from tpt.settings.names import conf_dir

PACKAGE = Path(__file__).resolve().parent.parent


def digest(package: Path = PACKAGE) -> str:
    """A hash of a package folder's code and configs."""
    found = hashlib.sha256()
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.yaml"), *package.rglob("*.sh")]):
        found.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def take(run: Run) -> Path:
    """Copy the package into the run folder.

    Returns:
        the folder to add to PYTHONPATH.
    """
    target = run.slurm_dir / f"code-{digest()}"
    if not target.exists() or digest(target / "tpt") != digest():
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        no_caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, partial / "tpt", ignore=no_caches)
        if conf_dir().parent != PACKAGE:  # in a checkout, they are beside the package
            shutil.copytree(conf_dir(), partial / "conf", ignore=no_caches)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return target


def verify(expected: str) -> None:
    """Check that the code being run is the code that was submitted.

    Raises:
        RunError: it is not.
    """
    found = digest()
    if found != expected:
        raise RunError(
            f"the code in {PACKAGE} is {found}, but {expected} was submitted",
            "it was changed after the submission, or cluster.setup sets PYTHONPATH: `tpt resubmit` takes a new copy",
        )
