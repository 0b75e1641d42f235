"""`rounds=auto` stops where a round no longer gains, says why, and whoever looks at the run sees the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from evaluations import finish_evaluation, finish_round
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tpt import files, records
from tpt.cli import main
from tpt.commands.shared.named_runs import runs_at
from tpt.evaluate.intervals import Interval
from tpt.evaluate.stop import look_confidence, rule
from tpt.launch.loop import carry_out
from tpt.records import Problem, Sample
from tpt.report import report
from tpt.runs.folder import Run
from tpt.runs.rounds import in_words
from tpt.runs.stage import Stage
from tpt.runs.table import ROUND, choosing
from tpt.settings.config import Config
from tpt.settings.stop import StopConfig
from tpt.sweep import Sweep

Make = Callable[..., Config]
HALF = 0.04  # of the width of an interval

scores = st.lists(st.integers(0, 100).map(lambda percent: percent / 100), min_size=1, max_size=9)


def gains(by_round: list[float]) -> Callable[[int, int], Interval]:
    """The gain of one round over another where round i scores `by_round[i]`, with intervals of one width."""

    def gain(after: int, before: int) -> Interval:
        value = by_round[after] - by_round[before]
        return Interval(value, value - HALF, value + HALF)

    return gain


def after(by_round: list[float], settings: StopConfig) -> int:
    stop = rule(len(by_round) - 1, gains(by_round), settings)
    return stop.after if stop else 99


def test_it_stops_when_the_patience_is_at_an_end_and_takes_the_highest_since_the_last_clear_gain() -> None:
    assert rule(3, gains([0.2, 0.3, 0.4, 0.42]), StopConfig()) is None
    stop = rule(4, gains([0.2, 0.3, 0.4, 0.42, 0.41]), StopConfig())
    assert stop is not None
    assert (stop.after, stop.clear, stop.take) == (4, 2, 3)
    assert stop.reason == (
        "round 3 gained +2.0 [-2.0, +6.0] points over round 2: the interval covers 0; "
        "round 4 gained +1.0 [-3.0, +5.0] points over round 2: the interval covers 0"
    )


def test_while_every_round_gains_there_is_to_be_another() -> None:
    assert rule(2, gains([0.2, 0.3, 0.4]), StopConfig()) is None
    assert rule(0, gains([0.2]), StopConfig()) is None


def test_a_fall_is_no_gain_and_is_called_a_fall() -> None:
    stop = rule(1, gains([0.5, 0.3]), StopConfig(patience=1))
    assert stop is not None
    assert (stop.after, stop.take) == (1, 0)
    assert stop.reason == "round 1 fell: -20.0 [-24.0, -16.0] points over the base model"


def test_a_clear_gain_below_the_minimum_does_not_count() -> None:
    stop = rule(1, gains([0.2, 0.25]), StopConfig(minimum=6, patience=1))
    assert stop is not None
    assert stop.reason.endswith("+5.0 [+1.0, +9.0] points over the base model: less than stop.minimum=6")
    assert (
        rule(1, gains([0.71, 1.0]), StopConfig(minimum=29, patience=1)) is None
    )  # 29 points, of which a float lacks a bit


def test_what_wins_back_a_loss_has_gained_nothing() -> None:
    stop = rule(3, gains([0.2, 0.5, 0.3, 0.4]), StopConfig(patience=2))
    assert stop is not None
    assert (stop.after, stop.take) == (3, 1)
    assert stop.reason == (
        "round 2 fell: -20.0 [-24.0, -16.0] points over round 1; round 3 fell: -10.0 [-14.0, -6.0] points over round 1"
    )


def test_without_a_clear_gain_the_base_model_is_taken_however_high_a_round_is() -> None:
    stop = rule(2, gains([0.2, 0.23, 0.22]), StopConfig())
    assert stop is not None
    assert (stop.after, stop.clear, stop.take) == (2, 0, 0)


def test_small_gains_that_add_up_to_a_clear_one_count_for_the_patient() -> None:
    assert rule(2, gains([0.2, 0.23, 0.26]), StopConfig(patience=2)) is None


def test_the_most_rounds_are_an_end_too() -> None:
    stop = rule(2, gains([0.2, 0.3, 0.4]), StopConfig(most=2))
    assert stop is not None
    assert (stop.after, stop.take, stop.reason) == (2, 2, "stop.most=2 rounds are done")


@given(scores, st.integers(1, 4))
def test_more_patience_never_stops_earlier(by_round: list[float], patience: int) -> None:
    assert after(by_round, StopConfig(patience=patience + 1)) >= after(by_round, StopConfig(patience=patience))


@given(scores, st.integers(0, 20), st.integers(0, 20))
def test_a_larger_minimum_never_stops_later(by_round: list[float], minimum: int, more: int) -> None:
    smaller, larger = (StopConfig(minimum=one, patience=1) for one in (minimum, minimum + more))
    assert after(by_round, larger) <= after(by_round, smaller)


@given(scores, st.integers(1, 3))
def test_later_rounds_never_change_where_it_stops(by_round: list[float], patience: int) -> None:
    stop = rule(len(by_round) - 1, gains(by_round), StopConfig(patience=patience))
    if stop:
        assert rule(stop.after, gains(by_round), StopConfig(patience=patience)) == stop
        assert stop.take <= stop.after


SOLVED = [10, 20, 30, 30, 30, 40]  # of 40 problems, after each round: the third and the fourth gain nothing
DEV = "task.dev_size=6"  # what rounds=auto sets aside here: as many problems as are tested


def do(run: Run) -> list[str]:
    """Carry out a run whose rounds solve SOLVED of the dev problems and none of the test problems."""
    done: list[str] = []

    def execute(stage: Stage) -> None:
        done.append(str(stage))
        if stage.name == "evaluate":
            finish_round(run, stage.round, SOLVED[stage.round], tested=0)

    carry_out(run, execute, lambda stage, origin: None)
    return done


def stages(rounds: int) -> int:
    """How many stages so many rounds have: each model is evaluated on test and on dev."""
    return 3 + (len(ROUND) + 1) * rounds


def test_a_run_ends_with_the_round_that_gains_nothing_on_dev_and_everyone_agrees(
    tiny_config: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    assert len(run.owed()) == stages(8)
    assert do(run)[-1] == "round-04/evaluate"
    words = (
        "rounds=auto stopped after round 4: round 3 gained +0.0 [-8.6, +8.6] points over round 2: the interval covers "
        "0; round 4 gained +0.0 [-8.6, +8.6] points over round 2: the interval covers 0. Take round 2: the last with a "
        "clear gain in pass@1 strict on dev (98.75 % intervals). Chosen on dev, reported on test"
    )
    recorded = files.read_json(run.stopped_path)
    assert (recorded["after"], recorded["take"]) == (4, 2)
    for one in (run, Run.open(run.root), Run.create(tiny_config("rounds=auto"))):
        assert (in_words(one), one.rounds, one.owed()) == (words, 4, [])
        assert len(one.stages()) == stages(4)
    assert do(run) == []
    report([run], tmp_path / "out")
    assert words in (tmp_path / "out" / "table.md").read_text()
    assert "not evaluated yet" not in (tmp_path / "out" / "table.md").read_text()
    assert main(["status", str(run.root)]) == 0
    assert words in capsys.readouterr().out.replace("\n", "")
    assert main(["status", str(run.root.parent)]) == 0
    assert "4, auto" in capsys.readouterr().out
    Sweep.of([["rounds=auto"]], [run]).write([["rounds=auto"]])
    [swept] = runs_at(Sweep.of([["rounds=auto"]], [run]).folder).runs
    assert swept.owed() == []


def test_a_kill_between_an_evaluation_and_the_record_of_the_stop_loses_nothing(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    for round in range(5):
        finish_round(run, round, SOLVED[round])
    assert not run.stopped_path.exists()
    assert Run.open(run.root).owed() == []
    assert do(run) == []
    assert files.read_json(run.stopped_path)["after"] == 4


def test_a_record_of_a_stop_is_not_believed_once_a_dev_evaluation_was_made_anew(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    run.manifest_path(choosing(4)).unlink()
    assert run.stopped() is None
    finish_evaluation(run, 4, 38, which="dev")
    assert run.stopped() is None
    assert str(run.owed()[0]) == "round-05/think"


def test_what_the_test_split_says_never_moves_the_stop(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    stop = run.stopped()
    for round in range(5):
        finish_evaluation(run, round, 9 * round)
    assert run.stopped() == stop
    run.manifest_path(Stage(4, "evaluate")).unlink()
    assert (run.stopped(), [str(one) for one in run.owed()]) == (stop, ["round-04/evaluate"])


def test_a_larger_number_of_rounds_goes_on_where_auto_stopped(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    longer = Run.create(tiny_config("rounds=5", DEV))
    assert longer.root == run.root
    assert do(longer)[0] == "round-05/think"
    now = Run.open(run.root)
    assert (now.rounds, now.owed()) == (5, [])
    assert "rounds=auto would have stopped after round 4" in in_words(now)
    assert Run.create(tiny_config("rounds=auto")).rounds == 4


def test_auto_after_a_number_of_rounds_takes_none_of_them_back(tiny_config: Make) -> None:
    Run.create(tiny_config("rounds=6", DEV))
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    assert (run.rounds, run.owed()) == (4, [])
    now = Run.open(run.root)
    assert now.rounds == 6
    assert {stage.round for stage in now.owed()} == {5, 6}


def test_more_patience_goes_on_where_less_has_stopped(tiny_config: Make) -> None:
    do(Run.create(tiny_config("rounds=auto", "stop.patience=1")))
    patient = Run.create(tiny_config("rounds=auto", "stop.patience=3", "stop.most=5"))
    assert do(patient)[-1] == "round-05/evaluate"
    assert "stop.most=5 rounds are done. Take round 5" in in_words(Run.open(patient.root))


def test_the_lenient_reader_can_decide(tiny_config: Make) -> None:
    for reader, rounds in (("strict", 1), ("lenient", 8)):
        run = Run.create(tiny_config("rounds=auto", f"stop.reader={reader}", "stop.patience=1"))
        finish_round(run, 0, 10)
        finish_round(run, 1, 10)
        finish_evaluation(run, 1, 10, leniently=30, which="dev")
        assert run.rounds == rounds


def test_points_of_a_sweep_that_differ_in_rounds_alone_are_one_run_that_does_what_both_ask(tiny_config: Make) -> None:
    runs = [Run.create(tiny_config(f"rounds={rounds}", DEV)) for rounds in ("auto", "5")]
    [run] = Sweep.of([["rounds=auto"], ["rounds=5"]], runs).runs
    for round in range(5):
        finish_round(run, round, SOLVED[round])
    assert {stage.round for stage in run.owed()} == {5}


def test_a_report_on_a_run_that_goes_on_says_so_and_awaits_only_what_has_begun(
    tiny_config: Make, tmp_path: Path
) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    finish_round(run, 0, 10)
    run.finish(Stage(1, "think"), {}, 1.0)
    report([run], tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "rounds=auto: up to 8 rounds; stops after 2 rounds in a row without a clear gain in pass@1 strict" in text
    assert "not evaluated yet: round 1 (done: think)." in text


def test_a_dry_run_says_how_many_rounds_there_can_be_and_plans_the_dev_evaluations(
    tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*tiny_command("rounds=auto", "stop.most=5", "stop.patience=3"), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert f"owed: {stages(5)} of {stages(5)} stages" in output
    assert output.count("evaluate-dev") == 6
    assert "up to 5 rounds; stops after 3 rounds in a row without a clear gain" in output.replace("\n", " ")


def test_over_all_looks_the_chance_of_a_wrong_gain_is_at_most_what_the_confidence_leaves() -> None:
    rng, settings, runs = np.random.default_rng(0), StopConfig(patience=8), 4000
    z = norm.ppf((1 + look_confidence(0.95, settings.most)) / 2)
    wrong = 0
    for _ in range(runs):
        scores = rng.normal(0, 0.03, settings.most + 1)  # on one dev set: every look shares the base model's score

        def gain(after: int, before: int, scores: npt.NDArray[np.float64] = scores) -> Interval:
            value, half = scores[after] - scores[before], z * 0.03 * 2**0.5
            return Interval(value, value - half, value + half)

        stop = rule(settings.most, gain, settings)
        wrong += stop is None or stop.take > 0
    assert wrong / runs <= 0.05


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
def test_a_model_that_learns_nothing_is_stopped_even_if_the_run_is_killed_in_an_evaluation_on_dev(
    tiny_command: Callable[..., list[str]], tiny_config: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    run, command = Run.of(tiny_config("rounds=auto")), tiny_command("rounds=auto")
    killed = subprocess.Popen([sys.executable, "-m", "tpt.cli", *command], start_new_session=True)
    while killed.poll() is None and not run.folder(choosing(1)).exists():
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert main(command) == 0
    assert run.rounds == 2
    assert not run.folder(Stage(3, "think")).exists()
    output = capsys.readouterr().out.replace("\n", "")
    assert "rounds=auto stopped after round 2: round 1 gained +0.0" in output
    assert "Take the base model: no round gained clearly in pass@1 strict on dev" in output
    dev, train = ({one.id for one in records.read(run.problems_path(split), Problem)} for split in ("dev", "train"))
    sampled = [Stage(round, "think") for round in (1, 2)], [choosing(round) for round in (0, 1, 2)]
    for stages, problems in zip(sampled, (train, dev), strict=True):
        for stage in stages:
            shards = records.shards(run.folder(stage), "samples")
            assert {one.problem_id for one in records.read(shards, Sample, ("problem_id",))} == problems
    assert not dev & train
    assert main(["status", str(run.root)]) == 0
    assert "round-02/evaluate-dev" in capsys.readouterr().out
