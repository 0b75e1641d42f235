"""A run folder in which a file is damaged: every command does without it, or names it and says what to do.

What a command does not read is damaged all at once, and changes nothing; what it reads, one file after the other.
"""

import contextlib
import errno
import io
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluations import finish_round
from made_run import made_run

from tpt import files, records
from tpt.cli import main
from tpt.cluster import ledger, status
from tpt.cluster.ledger import Submitted
from tpt.cluster.slurm import State
from tpt.errors import Damaged, EngineError, RunError
from tpt.launch import local
from tpt.launch import worker as stages
from tpt.launch.failures import record_failure
from tpt.progress import Progress
from tpt.records import Sample
from tpt.report import figure
from tpt.runs import books, rounds, shared
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.runs.table import ROUND
from tpt.settings.compose import compose
from tpt.settings.config import Config
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
    *("round-01/think/samples-00000.parquet", "round-01/judge/verdicts-00000.parquet"),
    *(f"round-01/judge/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json")),
    *(f"round-01/prune/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json", "examples.parquet")),
    *(f"round-01/train/{name}" for name in ("manifest.json", "inputs.json", "progress-0.json", "metrics.jsonl")),
    *(f"round-01/train/model/{name}.json" for name in ("config", "generation_config", "tokenizer", "tokenizer_config")),
    *(f"round-02/think/{name}.json" for name in ("inputs", "progress-0", "error-0")),
}

Harm = Callable[[Path, bytes], object]


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size // 2 + 9) + b"\n" + random.Random(1).randbytes(size // 2)


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
JUDGED = ("manifest.json", "samples-*.parquet", "verdicts-*.parquet")
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
    "analysis": Command(
        lambda run: ["analyse", "error_locality", run], (*HEAD, *(f"round-00/evaluate/{one}" for one in JUDGED))
    ),
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
            books.record(run, stage)
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


def wrong(command: str, run: Path, path: Path, kind: str, usual: tuple[int, str]) -> str:
    """What is wrong with how a command takes a damaged file; "": nothing.

    A stage without a manifest counts as not done, and a command that needs it says so.

    Args:
        usual: what the command returns and prints where nothing is damaged.
    """
    with harmed([path], kind):
        try:
            code, output = said(COMMANDS[command].words(run))
        except Exception as error:
            return f"{command}, {path.relative_to(run)} is {kind}: {type(error).__name__}: {error}"
    named = str(path) in output or (str(path.parent) in output and (path.name in output or path.parent == run))
    not_done = path.name == "manifest.json" and "`tpt run`" in output
    if code == 0 or (code, output) == usual or (code == 1 and "  -> " in output and (named or not_done)):
        return ""
    return f"{command}, {path.relative_to(run)} is {kind}: {code}, {output}"


def read_by(command: str, run: Path) -> list[Path]:
    """The files that a command reads, one of each kind."""
    patterns = COMMANDS[command].reads
    return [run / one for one in sorted(LEFT) if any(Path(one).match(each) for each in patterns)]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_file_is_named_with_what_to_do(command: str, root: Path) -> None:
    """Every file, and every kind of damage, but not each with each."""
    usual, kinds = said(COMMANDS[command].words(root)), list(KINDS)
    numbers = count(list(COMMANDS).index(command))
    found = [wrong(command, root, path, kinds[next(numbers) % len(kinds)], usual) for path in read_by(command, root)]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_is_named_with_what_to_do_however_it_is_damaged(
    command: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The figure is drawn of what was read already, and takes two thirds of a report; the test above draws it.
    monkeypatch.setattr(figure, "draw", lambda rows, folder: figure.paths(folder))
    usual = said(COMMANDS[command].words(root))
    found = [wrong(command, root, path, kind, usual) for path in read_by(command, root) for kind in KINDS]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_does_not_read_may_be_damaged(command: str, root: Path) -> None:
    usual, _ = said(COMMANDS[command].words(root))
    unread = [root / one for one in sorted(LEFT) if root / one not in read_by(command, root)]
    kind = list(KINDS)[list(COMMANDS).index(command) % len(KINDS)]
    with harmed(unread, kind):
        code, output = said(COMMANDS[command].words(root))
    assert code == usual, output


def again(run: Path, *more: str) -> list[str | Path]:
    """The command that made the run folder, for its first round."""
    return ["run", *OVERRIDES, "rounds=1", f"run_root={run.parent}", *more]


# A file, how it is damaged, whether the same command makes it again at once, or what has to be removed first.
MADE_AGAIN = [
    ("round-00/prepare/manifest.json", "empty", ()),
    ("round-01/think/manifest.json", "zeros", ()),
    ("round-01/prune/manifest.json", "a folder", ()),
    ("round-01/train/manifest.json", "something else", ()),
    ("round-01/evaluate/manifest.json", "cut off", ()),
    ("run.json", "empty", ("run.json",)),
    ("config.yaml", "zeros", ("config.yaml",)),
    ("metrics.jsonl", "noise", ("metrics.jsonl",)),
    (
        "round-00/evaluate/metrics.json",
        "nothing",
        ("round-00/evaluate/metrics.json", "round-00/evaluate/manifest.json"),
    ),
    (
        "round-01/think/samples-00000.parquet",
        "cut off",
        ("round-01/think/samples-00000.parquet", "round-01/think/manifest.json"),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "removed"), MADE_AGAIN)
def test_the_same_command_makes_a_damaged_file_again_as_the_hint_says(
    name: str, kind: str, removed: tuple[str, ...], root: Path, in_this_process: None
) -> None:
    path = root / name
    whole = path.read_bytes()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    KINDS[kind](path, whole)
    code, output = said(again(root))
    assert str(path) in output
    assert code == (1 if removed else 0), output
    for one in removed:
        assert "remove it" in output
        (root / one).unlink()
    if removed:
        code, output = said(again(root))
        assert code == 0, output
    assert path.is_file()
    assert said(again(root))[1].count("nothing is owed") == 1
    assert not any(run.damage(stage) for run in [Run.open(root)] for stage in run.stages())


def test_a_damaged_neighbour_is_named_and_stops_no_other(tmp_path: Path) -> None:
    root = f"run_root={tmp_path / 'runs'}"
    bad, good = (Run.create(compose([*OVERRIDES, root, f"prune={mode}"])) for mode in ("none", "ground_truth"))
    bad.finish(Stage(1, "think"), {}, 1.0)
    files.write_text(ledger.path(bad), "")
    for name in (*HEAD, JOBS):
        path = bad.root / name
        with harmed([path], "a list"):
            code, output = said(["status", good.root.parent])
            assert code == 0
            assert f"0/{2 + 2 * len(ROUND)}" in output, "the good one is listed"
            assert output.count(str(path)) == 1
            assert output.count("  -> ") == 1
            assert said(["status", bad.root])[0] == 1
            assert (shared.available(good, Stage(1, "think")) is None) == (name != JOBS)
            assert said(["run", *OVERRIDES, "prune=ground_truth", root, "--dry-run"])[0] == 0


def test_a_stage_is_not_taken_over_where_a_file_of_it_is_damaged(tmp_path: Path) -> None:
    root, think = f"run_root={tmp_path / 'runs'}", Stage(1, "think")
    owner, other = (Run.create(compose([*OVERRIDES, root, f"prune={mode}"])) for mode in ("none", "ground_truth"))
    shard = records.shard_path(owner.folder(think), "samples", 0)
    records.write(shard, Sample, [Sample("p", 0, [1], [2], "four", "stop")])
    owner.finish(think, {}, 1.0)
    assert shared.available(other, think)
    [pointer] = (tmp_path / "runs" / ".stages").iterdir()
    for path in (shard, owner.manifest_path(think), pointer):
        for kind in KINDS:
            if (path, kind) != (shard, "something else"):  # who takes it over reads it before long
                with harmed([path], kind):
                    assert shared.available(other, think) is None, f"{path} is {kind}"
                    assert shared.adopt(other, think) is None


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The folder of a sweep of two finished points."""
    points, root = [["seed=1"], ["seed=2"]], f"run_root={tmp_path_factory.mktemp('sweep') / 'runs'}"
    configs = [compose([*OVERRIDES, "rounds=1", root, *point]) for point in points]
    made = Sweep.of(points, [made_run(one, problems=8) for one in configs])
    made.write(points)
    return made


@pytest.mark.parametrize(
    "name", ["run.json", "round-01/evaluate/metrics.json", "round-01/evaluate/samples-00001.parquet"]
)
def test_a_report_on_a_sweep_leaves_a_damaged_point_out_and_says_so(sweep: Sweep, name: str) -> None:
    path = sweep.runs[0].root / name
    with harmed([path], "cut off"):
        code, output = said(["report", sweep.folder])
        assert code == 0
        assert "left out" in output
        assert output.count(str(path)) == 1
        assert "remove" in output
        assert (sweep.folder / "table.csv").read_text().count(sweep.runs[1].name) == 2
        assert sweep.runs[0].name not in (sweep.folder / "table.csv").read_text()
        assert said(["report", sweep.runs[0].root])[0] == 1


def test_status_and_jobs_of_a_sweep_with_a_damaged_point(sweep: Sweep) -> None:
    path = sweep.runs[0].root / "run.json"
    with harmed([path], "zeros"):
        code, output = said(["status", sweep.folder])
        assert (code, output.count(str(path))) == (0, 1)
        assert sweep.runs[1].name in output
    with harmed([one.root / "run.json" for one in sweep.runs], "zeros"):
        assert said(["status", sweep.folder])[0] == 1


def test_a_damaged_file_of_a_sweep_is_named(sweep: Sweep) -> None:
    path = sweep.folder / "sweep.json"
    commands = ("status", "attach", "cancel", "resubmit", "report")
    for number, kind in enumerate(KINDS):
        with harmed([path], kind):
            code, output = said([commands[number % len(commands)], sweep.folder])
        assert code == 1
        assert str(path if kind != "a link to nothing" else sweep.folder) in output
        assert "  -> " in output


def test_where_rounds_auto_stopped_is_found_anew_where_its_record_is_damaged(
    tiny_config: Callable[..., Config],
) -> None:
    run = Run.create(tiny_config("rounds=auto", "stop.most=2"))
    for round, solved in enumerate((10, 30, 30)):
        finish_round(run, round, solved)
    rounds.record(run)
    recorded = run.stopped()
    for kind in KINDS:
        with harmed([run.stopped_path], kind):
            assert run.stopped() == recorded is not None
            assert said(["status", run.root])[0] == 0


def test_jobs_are_shown_where_what_a_stage_said_of_itself_is_damaged(root: Path) -> None:
    run = Run.open(root)
    ledger.add(run, Submitted("round-02-think", "7", 1))
    running = {"7": State("RUNNING")}
    for kind in KINDS:
        with harmed([root / "round-02/think/progress-0.json", root / "round-02/think/error-0.json"], kind):
            [row] = [one for one in status.rows(run, running) if one.job == "round-02-think"]
            assert row.state == "running"
            assert row.left == ""


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_unknown_inputs_are_drawn_again(root: Path, kind: str) -> None:
    run = Run.open(root)
    shard = shutil.copy(root / "round-01/think/samples-00000.parquet", run.folder(UNFINISHED))
    with harmed([run.folder(UNFINISHED) / "inputs.json"], kind):
        run.begin(UNFINISHED)
        # A record that is not there, or names no input, stands for inputs that are as they were.
        assert Path(shard).exists() == (kind in ("something else", "a link to nothing"))
        assert not run.stale(UNFINISHED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_log_of_records_is_named_with_the_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "metrics.jsonl"
    for number in range(3):
        files.append_jsonl(path, {"stage": f"round-{number:02d}/think", "made": "0"})
    with harmed([path], kind):
        if kind in ("empty", "cut off", "zeros", "a link to nothing"):  # what a crash leaves is passed over
            assert len(list(files.read_jsonl(path, {"stage": str}))) == (1 if kind == "cut off" else 0)
            return
        with pytest.raises(Damaged) as caught:
            list(files.read_jsonl(path, {"stage": str}))
    assert str(path) in caught.value.message
    assert kind == "a folder" or "line 1" in caught.value.message
    assert caught.value.path == path
    assert pickle.loads(pickle.dumps(caught.value)).path == path


def test_a_file_that_the_disk_does_not_give_is_not_taken_for_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    files.write_json(path, {})

    def stale(self: Path, encoding: str) -> str:  # what NFS says; no file system here does
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Path, "read_text", stale)
    with pytest.raises(RunError, match="cannot be read: Stale file handle") as caught:
        files.read_json(path)
    assert not isinstance(caught.value, Damaged), "or its stage would be done again"
