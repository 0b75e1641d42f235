"""The run folder: names, fingerprints, what is shared, what is refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import config, files
from tpt.config import Config
from tpt.errors import RunError
from tpt.loop import Stage, think_prune_train
from tpt.run import Run, find

Make = Callable[..., Config]


def test_the_stages_are_algorithm_1() -> None:
    assert [str(stage) for stage in think_prune_train(1)] == [
        "round-00/prepare",
        "round-00/evaluate",
        "round-01/think",
        "round-01/prune",
        "round-01/train",
        "round-01/evaluate",
    ]


def test_a_longer_run_continues_in_the_shorter_ones_folder(tiny_config: Make) -> None:
    short = Run.create(tiny_config("rounds=1"))
    long = Run.create(tiny_config("rounds=3"))
    assert short.root == long.root
    assert Run.open(long.root).config.rounds == 3
    assert len(Run.create(tiny_config("rounds=2")).stages()) == 2 + 4 * 2
    assert Run.open(long.root).config.rounds == 3


def test_settings_that_change_results_change_the_folder_and_others_do_not(tiny_config: Make) -> None:
    base = Run.of(tiny_config()).root
    for same in ("tracker=wandb_offline", "sampler.data_parallel=2", "train.checkpoint_every=9", "rounds=7"):
        assert Run.of(tiny_config(same)).root == base
    for other in ("seed=1", "prune.per_problem=2", "think.temperature=0.9", "train.epochs=2", "task.seed=5"):
        assert Run.of(tiny_config(other)).root != base


def test_runs_share_the_stages_whose_settings_and_inputs_are_the_same(tiny_config: Make) -> None:
    one, other = Run.of(tiny_config("prune=none")), Run.of(tiny_config("prune=ground_truth"))
    for stage, shared in (
        (Stage(0, "evaluate"), True),
        (Stage(1, "think"), True),
        (Stage(1, "prune"), False),
        (Stage(1, "train"), False),
        (Stage(2, "think"), False),
    ):
        assert (one.fingerprint(stage) == other.fingerprint(stage)) is shared


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
    files.write_text(one.folder(stage) / "samples-00000.parquet", "samples")
    one.finish(stage, {"samples": 1}, 2.0)
    assert other.adopt(stage) == one.folder(stage).resolve()
    assert other.done(stage)
    assert (other.folder(stage) / "samples-00000.parquet").read_text() == "samples"
    assert other.adopt(Stage(1, "prune")) is None


def test_a_stage_that_another_run_has_lost_is_not_adopted(tiny_config: Make) -> None:
    one, other = Run.create(tiny_config("prune=none")), Run.create(tiny_config("prune=ground_truth"))
    stage = Stage(1, "think")
    one.finish(stage, {}, 1.0)
    one.manifest_path(stage).unlink()
    assert other.adopt(stage) is None


def test_changed_data_files_make_another_run(tiny_config: Make, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    local = ["model.source=hub", f"model.path={folder}"]
    before = Run.create(tiny_config(*local))
    (folder / "config.json").write_text("{ }")
    assert Run.of(tiny_config(*local)).root != before.root
    assert Run.open(before.root).name == before.name  # still readable: it has its own record of the files


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)


def test_a_folder_of_another_version_is_refused(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    head = files.read_json(run.root / "run.json")
    files.write_json(run.root / "run.json", head | {"format": 999, "tpt": "9.9"})
    with pytest.raises(RunError, match=r"was written by tpt 9\.9"):
        Run.open(run.root)
    with pytest.raises(RunError, match=r"was written by tpt 9\.9"):
        Run.create(tiny_config())


def test_a_folder_whose_config_was_edited_is_refused(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.config_path.write_text(run.config_path.read_text().replace("mode: none", "mode: ground_truth"))
    with pytest.raises(RunError, match="another config"):
        Run.open(run.root)


def test_runs_are_found_under_their_root(tiny_config: Make) -> None:
    roots = {Run.create(tiny_config(f"seed={seed}")).root for seed in range(3)}
    assert set(find(Path(tiny_config().run_root))) == roots


HOLD = "import sys, time; from pathlib import Path; from tpt.run import Run\n"
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


def test_metrics_hold_each_stage_once(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.finish(Stage(0, "evaluate"), {"metrics": {"a": 1}}, 1.0)
    for _ in range(2):
        run.record(Stage(0, "evaluate"))
    assert [line["stage"] for line in files.read_jsonl(run.metrics_path)] == ["round-00/evaluate"]


def test_a_manifest_says_with_what_it_was_made(tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.finish(Stage(0, "evaluate"), {}, 1.0)
    manifest = run.manifest(Stage(0, "evaluate"))
    assert {"fingerprint", "seed", "seconds", "host", "versions", "config"} <= manifest.keys()
    assert manifest["config"] == config.to_dict(run.config)
