"""The run folder: names, fingerprints, what is shared, what is refused."""

import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpt import files, locks, records
from tpt.cli import main
from tpt.errors import RunError
from tpt.launch.loop import carry_out
from tpt.launch.worker import perform
from tpt.records import Sample
from tpt.runs import books, shared, table
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.runs.table import think_prune_train
from tpt.settings import config
from tpt.settings.config import Config
from tpt.tasks import REGISTRY, SHIPPED

Make = Callable[..., Config]


def test_the_stages_are_algorithm_1() -> None:
    assert [str(stage) for stage in think_prune_train(1)] == [
        "round-00/prepare",
        "round-00/evaluate",
        "round-01/think",
        "round-01/judge",
        "round-01/prune",
        "round-01/train",
        "round-01/evaluate",
    ]


def test_a_longer_run_continues_in_the_shorter_ones_folder(tiny_config: Make) -> None:
    short = Run.create(tiny_config("rounds=1"))
    long = Run.create(tiny_config("rounds=3"))
    assert short.root == long.root
    assert Run.open(long.root).config.rounds == 3
    assert len(Run.create(tiny_config("rounds=2")).stages()) == 2 + 2 * len(table.ROUND)
    assert Run.open(long.root).config.rounds == 3


def test_settings_that_change_results_change_the_folder_and_others_do_not(tiny_config: Make) -> None:
    base = Run.of(tiny_config()).root
    for same in ("tracker=wandb_offline", "sampler.data_parallel=2", "train.checkpoint_every=9", "rounds=7"):
        assert Run.of(tiny_config(same)).root == base
    for other in ("seed=1", "prune.per_problem=2", "think.temperature=0.9", "train.epochs=2", "task.seed=5"):
        assert Run.of(tiny_config(other)).root != base


def test_runs_share_the_stages_whose_settings_and_inputs_are_the_same(tiny_config: Make) -> None:
    one, other = Run.of(tiny_config("prune=none")), Run.of(tiny_config("prune=ground_truth"))
    for stage, same in (
        (Stage(0, "evaluate"), True),
        (Stage(1, "think"), True),
        (Stage(1, "judge"), True),
        (Stage(1, "prune"), False),
        (Stage(1, "train"), False),
        (Stage(2, "think"), False),
    ):
        assert (one.fingerprint(stage) == other.fingerprint(stage)) is same


def test_a_teacher_changes_what_is_thought_and_not_the_baseline(tiny_config: Make) -> None:
    one, other = Run.of(tiny_config()), Run.of(tiny_config("+model@think.teacher=tiny-random"))
    assert one.fingerprint(Stage(0, "evaluate")) == other.fingerprint(Stage(0, "evaluate"))
    assert one.fingerprint(Stage(1, "think")) != other.fingerprint(Stage(1, "think"))


def test_a_setting_that_came_later_leaves_fingerprints_while_it_has_its_default(tiny_config: Make) -> None:
    assert "flip" not in config.to_dict(tiny_config().prune, runtime=False)
    assert "flip" in config.to_dict(tiny_config("prune.flip.rate=0.1").prune, runtime=False)
    assert "flip" in config.to_dict(tiny_config().prune)


def test_an_evaluation_setting_does_not_touch_training(tiny_config: Make) -> None:
    one, other = Run.of(tiny_config()), Run.of(tiny_config("evaluate.temperature=0.9"))
    assert one.fingerprint(Stage(2, "train")) == other.fingerprint(Stage(2, "train"))
    assert one.fingerprint(Stage(2, "evaluate")) != other.fingerprint(Stage(2, "evaluate"))


def test_training_from_the_base_does_not_depend_on_the_model_of_the_round_before(tiny_config: Make) -> None:
    assert Stage(1, "train") in Run.of(tiny_config()).inputs(Stage(2, "train"))
    assert Stage(1, "train") not in Run.of(tiny_config("train.start_from=base")).inputs(Stage(2, "train"))


def test_accumulating_reads_the_round_before(tiny_config: Make) -> None:
    assert Stage(1, "prune") in Run.of(tiny_config("prune.accumulate=true")).inputs(Stage(2, "prune"))


def test_each_stage_has_a_seed_of_its_own(tiny_config: Make) -> None:
    run = Run.of(tiny_config())
    seeds = [run.seed(stage) for stage in think_prune_train(20)]
    assert len(set(seeds)) == len(seeds)


def test_a_finished_stage_is_adopted_by_a_run_of_the_same_settings(tiny_config: Make) -> None:
    one, other = Run.create(tiny_config("prune=none")), Run.create(tiny_config("prune=ground_truth"))
    stage = Stage(1, "think")
    sample = Sample("p", 0, [1], [2], "four", "stop")
    records.write(records.shard_path(one.folder(stage), "samples", 0), Sample, [sample])
    one.finish(stage, {"samples": 1}, 2.0)
    assert shared.adopt(other, stage) == one.folder(stage).resolve()
    assert other.done(stage)
    assert list(records.read(records.shards(other.folder(stage), "samples"), Sample)) == [sample]
    assert shared.adopt(other, Stage(1, "prune")) is None


def test_a_stage_that_another_run_has_lost_is_not_adopted(tiny_config: Make) -> None:
    one, other = Run.create(tiny_config("prune=none")), Run.create(tiny_config("prune=ground_truth"))
    stage = Stage(1, "think")
    one.finish(stage, {}, 1.0)
    one.manifest_path(stage).unlink()
    assert shared.adopt(other, stage) is None


@pytest.fixture
def checkpoint(tmp_path: Path, tiny_model: Path) -> Path:
    """A copy of a small model in a folder of the test's own."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def local(folder: Path | str) -> list[str]:
    return ["model.source=hub", f"model.path={folder}"]


def test_a_local_model_is_told_by_what_is_read_of_it_and_not_by_its_path_nor_by_times_nor_by_what_lies_beside(
    tiny_config: Make, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Run.of(tiny_config(*local(checkpoint))).name
    monkeypatch.chdir(checkpoint.parent)
    monkeypatch.setenv("HOME", str(checkpoint.parent))
    copy = shutil.copytree(checkpoint, checkpoint.with_name("copy"))
    for spelling in (f"{checkpoint}/", "model", "./model", "'~/model'", copy):
        assert Run.of(tiny_config(*local(spelling))).name == name, spelling
    (checkpoint / "notes.txt").write_text("the good one")
    for path in checkpoint.iterdir():
        os.utime(path, (1, 1))
    assert Run.of(tiny_config(*local(checkpoint))).name == name


@pytest.mark.parametrize(
    "read", ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "chat_template.jinja"]
)
def test_whatever_is_read_of_a_local_model_or_a_teacher_makes_another_run_where_it_changes(
    tiny_config: Make, checkpoint: Path, read: str
) -> None:
    teacher = ["+model@think.teacher=tiny-random", "think.teacher.source=hub", f"think.teacher.path={checkpoint}"]
    before = Run.create(tiny_config(*local(checkpoint))), Run.create(tiny_config(*teacher))
    path = checkpoint / read
    stat = path.stat() if path.exists() else None
    path.write_bytes((path.read_bytes() if stat else b"") + b" ")
    if stat:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    now = Run.of(tiny_config(*local(checkpoint))), Run.of(tiny_config(*teacher))
    assert now[0].root != before[0].root
    assert now[1].root != before[1].root
    assert Run.open(before[0].root).name == before[0].name  # still readable: it has its own record


def test_a_model_or_data_that_are_gone_leave_their_run_readable(tiny_config: Make, checkpoint: Path) -> None:
    run = Run.create(tiny_config(*local(checkpoint)))
    shutil.rmtree(checkpoint)
    assert Run.open(run.root).contents == run.contents
    assert len(Run.open(run.root).owed()) == len(run.stages())


def gsm8k(folder: Path, gold: int = 3, name: str = "train.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    row = {"question": "What is 1 + 2?", "answer": f"1 + 2 = {gold}\n#### {gold}"}
    if name.endswith(".jsonl"):
        (folder / name).write_text(json.dumps(row) + "\n")
    else:
        (folder / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row]), folder / name)
    return folder


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl", "train-00000.parquet", "data/test-00000.parquet"])
def test_changed_problems_make_another_run_in_whatever_form_they_lie(
    tiny_config: Make, tmp_path: Path, name: str
) -> None:
    folder = gsm8k(tmp_path / "data-set", name=name)
    command = ["task=gsm8k", "evaluate.problems=null", f"task.path={folder}"]
    before = Run.of(tiny_config(*command)).name
    (folder / "README.jsonl").write_text("not read")
    os.utime(folder / name, (1, 1))
    assert Run.of(tiny_config(*command[:2], f"task.path={folder}/")).name == before
    gsm8k(folder, 4, name)
    assert Run.of(tiny_config(*command)).name != before


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.parquet"])
def test_problems_in_one_file_count_by_what_is_in_it(tiny_config: Make, tmp_path: Path, name: str) -> None:
    file = gsm8k(tmp_path / "data-set", name=name) / name
    before = Run.of(tiny_config("task=gsm8k", f"task.path={file}")).name
    moved = file.rename(tmp_path / f"other-{name}")
    assert Run.of(tiny_config("task=gsm8k", f"task.path={moved}")).name == before
    moved.write_bytes((gsm8k(tmp_path / "data-set", 4, name) / name).read_bytes())
    assert Run.of(tiny_config("task=gsm8k", f"task.path={moved}")).name != before


def test_the_source_of_a_task_that_does_not_come_with_the_package_is_part_of_its_identity(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from dataclasses import dataclass\nfrom tpt.tasks.base import register\n"
    source += "from tpt.tasks.word_problems import WordProblems\n"
    source += '@register("mine")\n@dataclass\nclass Mine(WordProblems):\n'
    source += '    def instruct(self, question: str) -> str:\n        return f"{question} Please."\n'
    path = tmp_path / "my_task.py"
    path.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tpt.tasks.base.REGISTRY", REGISTRY.copy())
    importlib.import_module("my_task")
    before = Run.of(tiny_config("task.name=mine"))
    assert "task.code" in before.contents
    path.write_text(source.replace("Please", "Now"))
    assert Run.of(tiny_config("task.name=mine")).name != before.name


def test_tasks_that_come_with_the_package_do_not_count_with_their_source(tiny_config: Make) -> None:
    assert {kind.__module__.rpartition(".")[2] for kind in REGISTRY.values()} <= set(SHIPPED)
    assert Run.of(tiny_config()).contents == {}


def test_another_runs_examples_count_by_what_they_are(tiny_config: Make, make_run: Callable[..., Run]) -> None:
    other = make_run(rounds=1)

    def name(path: str) -> str:
        return Run.of(tiny_config("prune.source=run", f"prune.from_run={path}")).name

    before = name(str(other.root))
    assert name(f"{other.root}/") == before
    assert name(str(shutil.copytree(other.root, other.root.parent.parent / "copy"))) == before
    with (other.folder(Stage(1, "prune")) / "examples.parquet").open("ab") as handle:
        handle.write(b" ")
    assert name(str(other.root)) != before


def test_a_stage_does_not_read_what_was_changed_since_its_run_was_made(tiny_config: Make, tmp_path: Path) -> None:
    folder = gsm8k(tmp_path / "data-set", name="train.jsonl")
    run = Run.create(tiny_config("task=gsm8k", f"task.path={folder}"))
    gsm8k(folder, 4)
    with pytest.raises(RunError, match=r"task\.files stands for has changed since"):
        perform(run, Stage(0, "prepare"))


def finish(run: Run, stage: Stage, content: str) -> None:
    """Finish a stage that makes what it hands on of `content`."""
    made = {
        "think": "samples-00000.parquet",
        "judge": "verdicts-00000.parquet",
        "prune": "examples.parquet",
        "evaluate": "metrics.json",
    }
    made |= {"train": "model/config.json", "prepare": "other"}
    run.begin(stage)
    files.write_text(run.folder(stage) / made[stage.name], content)
    run.finish(stage, {}, 1.0)


@pytest.fixture
def finished(tiny_config: Make) -> Run:
    run = Run.create(tiny_config("rounds=2"))
    for stage in run.stages():
        finish(run, stage, "first")
    assert not run.owed()
    return run


@pytest.mark.parametrize("redone", [Stage(1, name) for name in ("think", "judge", "prune", "train")], ids=str)
def test_what_was_made_of_a_stage_is_owed_again_where_that_is_made_anew_and_differently(
    finished: Run, redone: Stage
) -> None:
    later = finished.stages()[finished.stages().index(redone) + 1 :]
    finished.manifest_path(redone).unlink()
    assert finished.owed() == [redone, *later], "what comes of it is not known yet"
    assert finished.done(later[-1]), "its figures can still be reported"
    finish(finished, redone, "second")
    assert finished.owed() == later
    assert not finished.done(later[-1])
    for stage in later:
        finish(finished, stage, "second")
    assert not finished.owed()


def test_what_was_made_of_a_stage_stays_done_where_that_comes_out_as_before(finished: Run) -> None:
    for stage in (Stage(0, "prepare"), Stage(1, "think"), Stage(1, "train")):
        finished.manifest_path(stage).unlink()
    done: list[Stage] = []

    def execute(stage: Stage) -> None:
        finish(finished, stage, "first")
        done.append(stage)

    assert len(carry_out(finished, execute, lambda *_: None)) == len(finished.stages())
    assert done == [Stage(0, "prepare"), Stage(1, "think"), Stage(1, "train")]


def test_an_evaluation_is_nobodys_input(finished: Run) -> None:
    finished.manifest_path(Stage(1, "evaluate")).unlink()
    finish(finished, Stage(1, "evaluate"), "second")
    assert not finished.owed()


def test_shards_of_another_model_than_there_is_now_are_not_gone_on_with(finished: Run) -> None:
    think, train = Stage(2, "think"), Stage(1, "train")
    shard = finished.folder(think) / "samples-00000.parquet"
    finished.manifest_path(think).unlink()  # it was killed before its end
    finished.begin(think)
    assert shard.exists(), "the same command again continues"
    finished.manifest_path(train).unlink()
    finish(finished, train, "second")
    assert finished.stale(think)
    finished.begin(think)
    assert [path.name for path in finished.folder(think).iterdir()] == ["inputs.json"]
    assert not finished.stale(think)


def test_a_stage_that_was_begun_before_its_input_was_done_is_of_that_input_in_the_end(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    think, judge = Stage(1, "think"), Stage(1, "judge")
    finish(run, Stage(0, "prepare"), "first")
    run.begin(judge)  # judges while others are sampled
    assert files.read_json(run.inputs_path(judge))["round-01/think"] is None
    finish(run, think, "first")
    finish(run, judge, "first")
    assert run.manifest(judge)["inputs"]["round-01/think"] == run.made(think)
    finish(run, think, "second")
    assert not run.done(judge)


def test_what_was_made_of_other_inputs_is_not_adopted(tiny_config: Make) -> None:
    one, other = Run.create(tiny_config()), Run.create(tiny_config("evaluate.temperature=0.9"))
    train = Stage(1, "train")
    for run, content in ((one, "first"), (other, "second")):  # e.g. on different GPUs
        for stage in (Stage(0, "prepare"), *(Stage(1, name) for name in ("think", "judge", "prune"))):
            finish(run, stage, content)
    finish(one, train, "first")
    assert shared.owner(other, train) is not None
    assert shared.adopt(other, train) is None


def test_a_redone_stage_has_a_new_line_in_the_metrics_and_an_equal_one_has_not(finished: Run) -> None:
    evaluate = Stage(1, "evaluate")
    for content in ("first", "second", "second"):
        finish(finished, evaluate, content)
        books.record(finished, evaluate)
    assert len(list(files.read_jsonl(finished.metrics_path))) == 2


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)


def test_a_folder_of_another_version_is_refused(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    head = files.read_json(run.root / "run.json")
    files.write_json(run.root / "run.json", head | {"format": 999, "tpt": "9.9"})
    with pytest.raises(RunError, match=r"was written by tpt 9\.9") as caught:
        Run.open(run.root)
    assert "tpt run" in caught.value.hint
    with pytest.raises(RunError, match=r"was written by tpt 9\.9"):
        Run.create(tiny_config())


@pytest.mark.parametrize("command", ["status", "report", "export", "resubmit", "analyse diversity"])
def test_a_run_with_a_setting_that_is_gone_is_refused_with_what_to_do_instead(
    tiny_config: Make, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Run.create(tiny_config())
    files.write_json(old.head_path, files.read_json(old.head_path) | {"tpt": "0.1.0"})
    old.config_path.write_text(old.config_path.read_text().replace("\nevaluate:", "\nevaluate:\n  bootstrap: 10000"))
    assert main([*command.split(), str(old.root)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "was written by tpt 0.1.0, whose setting evaluate.bootstrap is gone in tpt" in said
    assert "read it with tpt 0.1.0; to go on with this one, give the same settings without evaluate.bootstrap" in said


def test_a_setting_that_is_gone_is_not_said_to_be_another_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "evaluate.bootstrap=100"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "older versions had it: intervals are no longer made by resampling; leave it out" in said


def test_status_shows_the_other_runs_beside_one_of_another_version(
    tiny_config: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    old, run = (Run.create(tiny_config(f"seed={seed}")) for seed in (1, 2))
    files.write_json(old.root / "run.json", files.read_json(old.root / "run.json") | {"format": 4, "tpt": "0.1.0"})
    assert main(["status", str(run.root.parent)]) == 0
    shown, left_out = capsys.readouterr()
    assert f"0/{2 + 2 * len(table.ROUND)}" in shown
    said = " ".join(left_out.split())
    assert "was written by tpt 0.1.0 (format 4)" in said
    assert "it starts a new folder beside it" in said


def test_a_folder_whose_config_was_edited_is_refused(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.config_path.write_text(run.config_path.read_text().replace("mode: none", "mode: ground_truth"))
    with pytest.raises(RunError, match="another config"):
        Run.open(run.root)


def test_runs_are_found_under_their_root(tiny_config: Make) -> None:
    roots = {Run.create(tiny_config(f"seed={seed}")).root for seed in range(3)}
    assert set(find(Path(tiny_config().run_root))) == roots


HOLD = "import sys, time; from pathlib import Path; from tpt.runs.folder import Run\n"
HOLD += "with Run.open(Path(sys.argv[1])).lock():\n    print('held', flush=True); time.sleep(60)"


def test_a_second_process_is_refused_and_a_dead_ones_lock_is_recovered(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(run.root)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"in use by process {holder.pid}"), run.lock():
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with run.lock():
        assert files.read_json(run.root / "lock.json")["pid"] == os.getpid()
    assert not (run.root / "lock.json").exists()


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        ({"pid": 5, "host": "elsewhere"}, "A host that is down may leave its lock behind"),
        ({"pid": 2**22 + 1, "host": socket.gethostname()}, "if no other `tpt` is using this folder"),
        (None, "`tpt status` shows how far it is"),
    ],
    ids=["another host", "no such process", "unknown"],
)
def test_what_to_do_about_a_lock_whose_holder_may_be_gone(
    tiny_config: Make, holder: dict[str, object] | None, said: str
) -> None:
    run = Run.create(tiny_config())
    with locks.locked(run.root / ".lock"):
        files.write_text(run.root / "lock.json", json.dumps(holder) if holder else '{"pid": 5, "ho')
        with pytest.raises(RunError, match="is in use by") as caught, run.lock():
            pass
    assert said in caught.value.hint
    assert (f"remove {run.root / '.lock'} and" in caught.value.hint) is (holder is not None)


def test_metrics_hold_each_stage_once(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.finish(Stage(0, "evaluate"), {"metrics": {"a": 1}}, 1.0)
    for _ in range(2):
        books.record(run, Stage(0, "evaluate"))
    assert [line["stage"] for line in files.read_jsonl(run.metrics_path)] == ["round-00/evaluate"]


def test_a_manifest_says_with_what_it_was_made(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.finish(Stage(0, "evaluate"), {}, 1.0)
    manifest = run.manifest(Stage(0, "evaluate"))
    assert {"fingerprint", "seed", "seconds", "host", "versions", "config"} <= manifest.keys()
    assert manifest["config"] == config.to_dict(run.config)
