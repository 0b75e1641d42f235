"""A run folder in which a file is damaged: every command does without it, or names it and says what to do.

What a command does not read is damaged all at once, and changes nothing; what it reads, one file after the other.
"""

import contextlib
import io
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpt import files, records
from tpt import stage as stages
from tpt.cli import main
from tpt.cluster import ledger, local, status
from tpt.cluster.ledger import Submitted
from tpt.cluster.process import record_failure
from tpt.compose import compose
from tpt.config import Config
from tpt.errors import Damaged, EngineError
from tpt.loop import Stage
from tpt.progress import Progress
from tpt.records import Sample
from tpt.run import Run
from tpt.sweep import Sweep

OVERRIDES = ("experiment=smoke", "sampler=transformers", "think.temperature=0.8", "rounds=2")
UNFINISHED = Stage(2, "think")
# What a run leaves behind, besides logs, locks, reports and the weights: one file of each kind.
LEFT = {
    *("run.json", "config.yaml", "metrics.jsonl", "wandb/mirrored.jsonl", "slurm/jobs.jsonl"),
    *(f"round-00/prepare/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json")),
    *("round-00/prepare/train.parquet", "round-00/prepare/test.parquet"),
    *(f"round-00/evaluate/{name}.json" for name in ("manifest", "inputs", "progress-0", "engine-0", "metrics")),
    *(f"round-00/evaluate/{name}.parquet" for name in ("samples-00000", "verdicts-00000", "per_problem")),
    *(f"round-01/think/{name}.json" for name in ("manifest", "inputs", "progress-0", "engine-0")),
    *("round-01/think/samples-00000.parquet", "round-01/prune/verdicts-00000.parquet"),
    *(f"round-01/prune/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json", "examples.parquet")),
    *(f"round-01/train/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json", "metrics.jsonl")),
    *(f"round-01/train/model/{name}.json" for name in ("config", "generation_config", "tokenizer", "tokenizer_config")),
    *(f"round-02/think/{name}.json" for name in ("inputs", "progress-0", "error-0")),
}

Harm = Callable[[Path, bytes], object]


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size // 2) + b"\n" + random.Random(1).randbytes(size // 2)


def other_columns(path: Path, whole: bytes) -> None:
    """A file that can be read, and holds something else."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"other": [1, 2]}), path)
    else:
        path.write_text("{}\n")


# What becomes of a file that was whole.
KINDS: dict[str, Harm] = {
    "empty": lambda path, whole: path.touch(),
    "cut off": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "noise": lambda path, whole: path.write_bytes(noise(len(whole))),
    "zeros": lambda path, whole: path.write_bytes(bytes(len(whole))),  # what a crash of the machine may leave
    "a list": lambda path, whole: path.write_text("[]\n"),
    "nothing": lambda path, whole: path.write_text("null\n"),
    "something else": other_columns,
    "a folder": lambda path, whole: path.mkdir(),
    "a link to nothing": lambda path, whole: path.symlink_to("nowhere"),
}


@contextlib.contextmanager
def harmed(paths: Iterable[Path], kind: str) -> Iterator[None]:
    """Some files are damaged in the block, and as before after it."""
    whole = {path: (path.read_bytes(), path.stat()) for path in paths}
    try:
        for path, (content, _) in whole.items():
            path.unlink()
            KINDS[kind](path, content)
        yield
    finally:
        for path, (content, stat) in whole.items():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def said(words: Sequence[str | Path]) -> tuple[int, str]:
    """What `tpt` returns and prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = main([str(word) for word in words])
    return code, output.getvalue()


@dataclass(frozen=True)
class Command:
    """A command line, and the files of the run folder that it reads."""

    words: Callable[[Path], list[str | Path]]
    reads: tuple[str, ...]


HEAD = ("run.json", "config.yaml")
STATE = (*HEAD, "round-0[01]/*/manifest.json")
SAMPLED = ("round-*/*/samples-*.parquet", "round-*/*/verdicts-*.parquet")
FIGURES = ("round-*/evaluate/metrics.json", "round-*/evaluate/per_problem.parquet")
JOBS = "slurm/jobs.jsonl"
COMMANDS = {
    "status of the run": Command(lambda run: ["status", run], (*STATE, JOBS, "round-02/*/*.json")),
    "status of all": Command(lambda run: ["status", run.parent], (*STATE, JOBS, "round-02/*/*.json")),
    "plan": Command(
        lambda run: ["run", *OVERRIDES, f"run_root={run.parent}", "--dry-run"], (STATE[2], "round-02/*/*.json")
    ),
    "report": Command(
        lambda run: ["report", run],
        (*STATE, JOBS, *SAMPLED, *FIGURES, "round-00/*/*.parquet", "round-01/prune/*.parquet"),
    ),
    "export": Command(
        lambda run: ["export", run, "--force"],
        (
            *STATE,
            *FIGURES,
            "round-00/*/train.parquet",
            "round-01/prune/examples.parquet",
            "round-01/train/model/*.json",
        ),
    ),
    "diversity": Command(lambda run: ["analyse", "diversity", run], (*STATE, *SAMPLED)),
    "error_locality": Command(lambda run: ["analyse", "error_locality", run], (*STATE, *SAMPLED)),
    "cancel": Command(lambda run: ["cancel", run], (*HEAD, JOBS)),
    "attach": Command(lambda run: ["attach", run], (*HEAD, JOBS)),
    "resubmit": Command(lambda run: ["resubmit", run], (*HEAD, JOBS)),
}


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[None]:
    """Stages are done by their own functions, but in this process: starting one for each would take the most time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "execute", lambda run, stage, watch: stages.perform(run, stage))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two rounds whose second has failed at its first stage."""
    run = Run.create(compose([*OVERRIDES, f"run_root={tmp_path_factory.mktemp('damage') / 'runs'}"]))
    for stage in run.stages():
        if stage < UNFINISHED and stage.round < 2:
            stages.perform(run, stage)
            run.record(stage)
            files.append_jsonl(run.wandb_dir / "mirrored.jsonl", {"stage": str(stage)})
    run.begin(UNFINISHED)
    Progress(run.progress_path(UNFINISHED))(4, 12, "problems", 3.0, "tokens/s")
    record_failure(run, UNFINISHED, 0, EngineError("the engine died", "start it again"))
    files.write_text(ledger.path(run), "")  # no jobs, so that no command asks SLURM
    return run.root


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run folder, of the test's own."""
    return shutil.copytree(finished, tmp_path / "runs" / finished.name)


def test_the_run_folder_holds_every_kind_of_file(finished: Path) -> None:
    kinds = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.suffix in SUFFIXES}
    assert kinds >= LEFT
    assert {pattern(Path(one)) for one in kinds} == {pattern(Path(one)) for one in LEFT}


SUFFIXES = (".json", ".jsonl", ".yaml", ".parquet")


def pattern(path: Path) -> tuple[str, str]:
    """What tells one kind of file from another: neither its round nor its number."""
    return path.parent.name, path.name.split("-")[0]


def wrong(command: str, run: Path, path: Path, kind: str) -> str:
    """What is wrong with how a command takes a damaged file; "": nothing."""
    with harmed([path], kind):
        try:
            code, output = said(COMMANDS[command].words(run))
        except Exception as error:
            return f"{command}, {path.relative_to(run)} is {kind}: {type(error).__name__}: {error}"
    named = str(path) in output or (path.parent == run and str(run) in output)
    again = path.name == "manifest.json" and "`tpt run`" in output  # its stage counts as not done
    if code == 0 or (code == 1 and "  -> " in output and (named or again)):
        return ""
    return f"{command}, {path.relative_to(run)} is {kind}: {code}, {output}"


def read_by(command: str, run: Path) -> list[Path]:
    """The files that a command reads, one of each kind."""
    patterns = COMMANDS[command].reads
    return [run / one for one in sorted(LEFT) if any(Path(one).match(each) for each in patterns)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_file_is_named_with_what_to_do(command: str, root: Path) -> None:
    """Every file, and every kind of damage, but not each with each."""
    numbers = count(list(COMMANDS).index(command))
    kinds = list(KINDS)
    found = [wrong(command, root, path, kinds[next(numbers) % len(kinds)]) for path in read_by(command, root)]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_is_named_with_what_to_do_however_it_is_damaged(command: str, root: Path) -> None:
    found = [wrong(command, root, path, kind) for path in read_by(command, root) for kind in KINDS]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_does_not_read_may_be_damaged(command: str, root: Path) -> None:
    usual, _ = said(COMMANDS[command].words(root))
    unread = [root / one for one in sorted(LEFT) if root / one not in read_by(command, root)]
    kind = list(KINDS)[list(COMMANDS).index(command) % len(KINDS)]
    with harmed(unread, kind):
        code, output = said(COMMANDS[command].words(root))
    assert code == usual, output
