"""A command that measures a round's model: running it, and reading its figures from the JSON file that it writes."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tpt import artefacts, files
from tpt.artefacts import Measured
from tpt.errors import CommandError
from tpt.evaluate.measured import figures
from tpt.progress import Progress
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.benchmarks import CommandConfig

LOG_LINES = 15
GRACE_SECONDS = 10  # from the request to stop until the command is killed
POLL_SECONDS = 0.2
BEGIN = "import os, sys; from tpt import interrupt; interrupt.die_with_parent(); os.execvp(sys.argv[1], sys.argv[1:])"


def measure(run: Run, stage: Stage, progress: Progress) -> Measured:
    """Run a command on the model of a round, from its beginning, and record its figures.

    Raises:
        CommandError: it is not there, fails, takes too long, or does not write its figures.
    """
    key, settings, folder = f"commands.{stage.which}", run.config.commands[stage.which], run.folder(stage).resolve()
    out = folder / artefacts.COMMAND_OUT
    shutil.rmtree(out, ignore_errors=True)  # of an attempt that was interrupted
    out.unlink(missing_ok=True)
    check_program(key, settings)
    progress(0, 1, "commands")
    checkpoint = run.model(stage.round).resolve()
    with _linked(checkpoint) as links:
        words = settings.words(checkpoint, links, out)
        _run(key, words, folder / artefacts.COMMAND_LOG, 60 * settings.minutes)
    path = _written(key, out, settings.json)
    found = figures(key, path, settings.paths("figures"), settings.paths("errors"), settings.paths("counts"))
    files.write_json(folder / artefacts.METRICS, found)
    progress(1, 1, "commands")
    words = settings.words(checkpoint, checkpoint, out)  # the links are gone
    return {"figures": found, "command": words, "json": path.relative_to(folder).as_posix()}


def check_program(key: str, settings: CommandConfig) -> None:
    """Check that the program of a command is on this machine.

    Args:
        key: of the command, e.g. `commands.ifeval`.

    Raises:
        CommandError: it is not.
    """
    program = settings.words(Path(), Path(), Path())[0]
    if shutil.which(program) is None:
        how = f"{key}.program=PATH" if "{program}" in settings.command else f"its path in {key}.command"
        raise CommandError(f"{key}: there is no program {program} here", f"install it, or give {how}")


@contextmanager
def _linked(checkpoint: Path) -> Iterator[Path]:
    """A folder of links to the files of a model, so that what a program writes beside them stays out of the run.

    Its path is without the commas and equals signs that separate the arguments of a model on some command lines.
    """
    with tempfile.TemporaryDirectory(prefix="tpt-model-") as temporary:
        links = Path(temporary) / "model"
        links.mkdir()
        for path in checkpoint.iterdir():
            (links / path.name).symlink_to(path)
        yield links


def _run(key: str, words: list[str], log: Path, seconds: float) -> None:
    """Run a command until it ends.

    Raises:
        CommandError: it failed, or was stopped after so many seconds.
    """
    with log.open("wb") as output:
        # In the process group of the stage, which is stopped as a whole; and it dies with the stage.
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", BEGIN, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    if child.poll() is None:
        _stop(child)
        raise CommandError(
            f"{key} was stopped after {seconds / 60:g} minutes{_tail(log)}",
            f"give it more time, {key}.minutes=..., or less to do; what it printed is in {log}",
        )
    if child.returncode:
        how = f"exited with {child.returncode}"
        if child.returncode < 0:
            how = f"was killed by signal {signal.Signals(-child.returncode).name}"
        raise CommandError(f"{key} {how}{_tail(log)}", f"what it printed is in {log}; it was: {' '.join(words)}")


def _stop(child: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and kill it if it does not."""
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _tail(log: Path) -> str:
    """The last lines of a log, below a message."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return "".join(f"\n    {line}" for line in lines)


def _written(key: str, out: Path, pattern: str) -> Path:
    """The JSON file that a command has written.

    Raises:
        CommandError: there is none.
    """
    if out.is_file():
        return out
    found = [path for path in out.glob(pattern) if path.is_file()] if out.is_dir() else []
    if found:
        return max(found, key=lambda path: path.stat().st_mtime_ns)
    there = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    wrote = f"it wrote {', '.join(there[:5])}" if there else "it wrote nothing there"
    raise CommandError(
        f"{key} ended without a file {pattern} in {{out}}: {wrote}",
        f"{key}.json is the pattern of the file; the command must write it to {{out}}, which was {out}",
    )
