"""`rounds=auto` stops where a round no longer gains, says why, and whoever looks at the run sees the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import finish_evaluation, finish_round
from hypothesis import given
from hypothesis import strategies as st

from tpt import files
from tpt.cli import main
from tpt.commands.shared.named_runs import runs_at
from tpt.evaluate.intervals import Interval
from tpt.evaluate.stop import rule
from tpt.launch.loop import carry_out
from tpt.report import report
from tpt.run.folder import Run
from tpt.run.rounds import in_words
from tpt.run.stage import Stage
from tpt.run.table import ROUND
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


def test_the_first_round_whose_interval_covers_0_is_the_last_and_the_one_before_it_is_taken() -> None:
    stop = rule(3, gains([0.2, 0.3, 0.4, 0.42]), StopConfig())
    assert stop is not None
    assert (stop.after, stop.take) == (3, 2)
    assert stop.reason == "round 3 gained +2.0 [-2.0, +6.0] points over round 2: the interval covers 0"


def test_while_every_round_gains_there_is_to_be_another() -> None:
    assert rule(2, gains([0.2, 0.3, 0.4]), StopConfig()) is None
    assert rule(0, gains([0.2]), StopConfig()) is None


def test_a_fall_is_no_gain_and_is_called_a_fall() -> None:
    stop = rule(1, gains([0.5, 0.3]), StopConfig())
    assert stop is not None
    assert (stop.after, stop.take) == (1, 0)
    assert stop.reason == "round 1 fell: -20.0 [-24.0, -16.0] points over the base model"


def test_a_clear_gain_below_the_minimum_does_not_count() -> None:
    stop = rule(1, gains([0.2, 0.25]), StopConfig(minimum=6))
    assert stop is not None
    assert stop.reason.endswith("+5.0 [+1.0, +9.0] points over the base model: less than stop.minimum=6")
    assert rule(1, gains([0.71, 1.0]), StopConfig(minimum=29)) is None  # 29 points, of which a float lacks a bit


def test_what_wins_back_a_loss_has_gained_nothing() -> None:
    stop = rule(3, gains([0.2, 0.5, 0.3, 0.4]), StopConfig(patience=2))
    assert stop is not None
    assert (stop.after, stop.take) == (3, 1)
    assert stop.reason == (
        "round 2 fell: -20.0 [-24.0, -16.0] points over round 1; round 3 fell: -10.0 [-14.0, -6.0] points over round 1"
    )


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
    smaller, larger = StopConfig(minimum=minimum), StopConfig(minimum=minimum + more)
    assert after(by_round, larger) <= after(by_round, smaller)


@given(scores, st.integers(1, 3))
def test_later_rounds_never_change_where_it_stops(by_round: list[float], patience: int) -> None:
    stop = rule(len(by_round) - 1, gains(by_round), StopConfig(patience=patience))
    if stop:
        assert rule(stop.after, gains(by_round), StopConfig(patience=patience)) == stop
        assert stop.take <= stop.after


SOLVED = [10, 20, 30, 30, 40]  # of 40 problems, after each round: the third round gains nothing


def do(run: Run) -> list[str]:
    """Carry out a run whose rounds solve SOLVED, up to a round that is not in it."""
    done: list[str] = []

    def execute(stage: Stage) -> None:
        done.append(str(stage))
        if stage.name == "evaluate":
            finish_round(run, stage.round, SOLVED[stage.round])

    carry_out(run, execute, lambda stage, origin: None)
    return done


def test_a_run_ends_with_the_round_that_gains_nothing_and_everyone_agrees(
    tiny_config: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    assert len(run.owed()) == 2 + len(ROUND) * 8
    assert do(run)[-1] == "round-03/evaluate"
    words = (
        "rounds=auto stopped after round 3: round 3 gained +0.0 [-6.5, +6.5] points over round 2: the interval covers "
        "0. Take round 2: the last with a clear gain in pass@1 strict"
    )
    recorded = files.read_json(run.stopped_path)
    assert (recorded["after"], recorded["take"]) == (3, 2)
    for one in (run, Run.open(run.root), Run.create(tiny_config("rounds=auto"))):
        assert (in_words(one), one.rounds, one.owed()) == (words, 3, [])
        assert len(one.stages()) == 2 + len(ROUND) * 3
    assert do(run) == []
    report([run], tmp_path / "out")
    assert words in (tmp_path / "out" / "table.md").read_text()
    assert "not evaluated yet" not in (tmp_path / "out" / "table.md").read_text()
    assert main(["status", str(run.root)]) == 0
    assert words in capsys.readouterr().out.replace("\n", "")
    assert main(["status", str(run.root.parent)]) == 0
    assert "3, auto" in capsys.readouterr().out
    Sweep.of([["rounds=auto"]], [run]).write([["rounds=auto"]])
    [swept] = runs_at(Sweep.of([["rounds=auto"]], [run]).folder).runs
    assert swept.owed() == []


def test_a_kill_between_an_evaluation_and_the_record_of_the_stop_loses_nothing(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    for round in range(4):
        finish_round(run, round, SOLVED[round])
    assert not run.stopped_path.exists()
    assert Run.open(run.root).owed() == []
    assert do(run) == []
    assert files.read_json(run.stopped_path)["after"] == 3


def test_a_record_of_a_stop_is_not_believed_once_an_evaluation_was_made_anew(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    run.manifest_path(Stage(3, "evaluate")).unlink()
    assert run.stopped() is None
    finish_evaluation(run, 3, 38)
    assert run.stopped() is None
    assert str(run.owed()[0]) == "round-04/think"


def test_a_larger_number_of_rounds_goes_on_where_auto_stopped(tiny_config: Make) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    longer = Run.create(tiny_config("rounds=4"))
    assert longer.root == run.root
    assert do(longer)[0] == "round-04/think"
    now = Run.open(run.root)
    assert (now.rounds, now.owed()) == (4, [])
    assert "rounds=auto would have stopped after round 3" in in_words(now)
    assert Run.create(tiny_config("rounds=auto")).rounds == 3


def test_auto_after_a_number_of_rounds_takes_none_of_them_back(tiny_config: Make) -> None:
    Run.create(tiny_config("rounds=5"))
    run = Run.create(tiny_config("rounds=auto"))
    do(run)
    assert (run.rounds, run.owed()) == (3, [])
    now = Run.open(run.root)
    assert now.rounds == 5
    assert {stage.round for stage in now.owed()} == {4, 5}


def test_more_patience_goes_on_where_less_has_stopped(tiny_config: Make) -> None:
    do(Run.create(tiny_config("rounds=auto")))
    patient = Run.create(tiny_config("rounds=auto", "stop.patience=2", "stop.most=4"))
    assert do(patient)[-1] == "round-04/evaluate"
    assert "stop.most=4 rounds are done. Take round 4" in in_words(Run.open(patient.root))


def test_the_lenient_reader_can_decide(tiny_config: Make) -> None:
    for reader, rounds in (("strict", 1), ("lenient", 8)):
        run = Run.create(tiny_config("rounds=auto", f"stop.reader={reader}"))
        finish_round(run, 0, 10)
        finish_round(run, 1, 10)
        finish_evaluation(run, 1, 10, leniently=30)
        assert run.rounds == rounds


def test_points_of_a_sweep_that_differ_in_rounds_alone_are_one_run_that_does_what_both_ask(tiny_config: Make) -> None:
    runs = [Run.create(tiny_config(f"rounds={rounds}")) for rounds in ("auto", "4")]
    [run] = Sweep.of([["rounds=auto"], ["rounds=4"]], runs).runs
    for round in range(4):
        finish_round(run, round, SOLVED[round])
    assert {stage.round for stage in run.owed()} == {4}


def test_a_report_on_a_run_that_goes_on_says_so_and_awaits_only_what_has_begun(
    tiny_config: Make, tmp_path: Path
) -> None:
    run = Run.create(tiny_config("rounds=auto"))
    finish_round(run, 0, 10)
    run.finish(Stage(1, "think"), {}, 1.0)
    report([run], tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "rounds=auto: up to 8 rounds; stops after a round without a clear gain in pass@1 strict" in text
    assert "not evaluated yet: round 1 (done: think)." in text


def test_a_dry_run_says_how_many_rounds_there_can_be(
    tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*tiny_command("rounds=auto", "stop.most=5", "stop.patience=2"), "--dry-run"]) == 0
    output = capsys.readouterr().out
    total = 2 + len(ROUND) * 5
    assert f"owed: {total} of {total} stages" in output
    assert "up to 5 rounds; stops after 2 rounds in a row without a clear gain" in output.replace("\n", " ")


@pytest.mark.slow
def test_a_model_that_learns_nothing_is_stopped_when_the_patience_is_at_an_end(
    tiny_command: Callable[..., list[str]], tiny_config: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_command("rounds=auto", "stop.patience=2")) == 0
    run = Run.of(tiny_config("rounds=auto", "stop.patience=2"))
    assert run.rounds == 2
    assert not run.folder(Stage(3, "think")).exists()
    output = capsys.readouterr().out.replace("\n", "")
    assert "rounds=auto stopped after round 2: round 1 gained +0.0" in output
    assert "Take the base model: no round gained clearly in pass@1 strict" in output
