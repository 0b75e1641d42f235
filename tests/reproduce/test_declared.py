"""Declared contrasts: what may be declared, how they are tested, and that a method needs several trainings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.errors import ConfigError
from tpt.reproduce import experiment as experiments
from tpt.reproduce.arms import PlannedArm, compose_all, plan, repeated
from tpt.reproduce.asked import Asked
from tpt.reproduce.command import _with_trainings
from tpt.reproduce.declared import Found, examined
from tpt.reproduce.differs import rows as differences
from tpt.reproduce.experiment import Arm, Contrast, Experiment, Scale
from tpt.reproduce.lines import Trained, lines, trained
from tpt.reproduce.paper import Paper
from tpt.reproduce.words import sentences
from tpt.runs.folder import Run

Make = Callable[..., Run]


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        (Contrast("nobody"), "arm=nobody"),
        (Contrast("one", against="nobody"), "against=nobody"),
        (Contrast("one", expect="hihger"), "expect=hihger"),
        (Contrast("one", measure="maj@4"), "measure=maj@4"),
        (Contrast("one", measure="pass@0"), "measure=pass@0"),
        (Contrast("one", reader="strcit"), "reader=strcit"),
        (Contrast("one", expect="alike"), "margin=None"),
        (Contrast("one", margin=3), "expect=higher, margin=3"),
        (Contrast("one", expect="alike", margin=0), "margin=0 points"),
        (Contrast("one", against="one"), "compared with itself"),
        (Contrast("one", against="paper"), "a gain in pass@1"),
    ],
)
def test_a_wrong_contrast_is_refused_in_the_words_of_the_file(contrast: Contrast, message: str) -> None:
    experiment = Experiment("t", "q", arms={"one": Arm("one"), "two": Arm("two")}, contrasts=[contrast])
    with pytest.raises(ConfigError) as caught:
        experiment.validate("mine/experiment.yaml")
    assert message in caught.value.message
    assert "contrasts[0]" in caught.value.message


def test_a_misspelt_key_of_a_contrast_gets_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("title: t\nquestion: q\narms: {a: {label: a}}\ncontrasts: [{arm: a, exepct: higher}]\n")
    with pytest.raises(ConfigError) as caught:
        experiments.read(path, Experiment)
    assert "expect" in str(caught.value)


@pytest.mark.parametrize("name", experiments.names())
def test_every_shipped_experiment_declares_contrasts_of_arms_that_have_results_at_some_scale(name: str) -> None:
    experiment = experiments.load(name)
    assert experiment.contrasts
    for contrast in experiment.contrasts:
        sides = [experiment.arms[one] for one in (contrast.arm, contrast.against) if one in experiment.arms]
        assert set.intersection(*(set(arm.scales) for arm in sides))


def arms_of(make_run: Make, seeds: int) -> dict[str, Trained]:
    """Two arms, one of which is right by 25 points more often."""
    planned, runs = [], {}
    for name, mode, lift in (("low", "none", 0.0), ("high", "ground_truth", 0.25)):
        for seed in range(seeds):
            arm = PlannedArm(f"{name}{seed}", name, [], None if name == "low" else "low", name)
            planned.append(arm)
            runs[arm.name] = make_run(f"prune={mode}", f"seed={seed}", lift=lift, problems=80, rounds=1)
    return trained(planned, runs)


CONTRASTS = [
    Contrast("high", against="low", expect="higher"),
    Contrast("low", against="high", expect="higher"),
    Contrast("high", against="low", measure="pass@k", expect="alike", margin=2),
    Contrast("high", expect="different", reader="lenient"),
    Contrast("high", against="low", measure="maj@k", expect="higher"),
    Contrast("high", against="absent"),
    Contrast("high", against="paper", expect="alike", margin=3),
]


def test_contrasts_of_one_training_are_of_checkpoints_and_of_several_of_the_method(make_run: Make) -> None:
    alone, several = (examined(CONTRASTS, arms_of(make_run, seeds), None) for seeds in (1, 3))
    assert len(alone) == len(several) == 5, "what has no results, and the paper at another scale, is left out"
    assert all("these checkpoints" in one.sentence() for one in alone)
    assert all("the method, 3 trainings" in one.sentence() for one in several)
    for found in (alone, several):
        assert [one.outcome for one in found[:2]] == ["holds", "the contrary holds"]
        assert all(one.tested.holm >= one.tested.p for one in found)
    assert alone[2].outcome in ("too few data to say", "not alike")
    assert alone[0].cells()["measure"] == "pass@1 strict"
    for found in (alone, several):
        assert (found[4].cells()["measure"], found[4].outcome) == ("maj@4 strict", "holds")


def test_agreement_with_the_paper_is_shown_and_not_assumed(make_run: Make) -> None:
    arms = arms_of(make_run, 1)
    [line] = [one for one in lines(arms, "last", None) if one.arm == "high"]
    assert line.gain is not None
    gain = 100 * line.gain.value

    def outcome(paper_gain: float, margin: float) -> Found:
        paper = Paper("a table", "a model", {"high": {0: {"pass@1": 10.0}, 1: {"pass@1": 10.0 + paper_gain}}})
        [found] = examined([Contrast("high", against="paper", expect="alike", margin=margin)], arms, paper)
        return found

    assert outcome(gain, 40).outcome == "alike"
    assert outcome(gain, 1).outcome == "too few data to say", "an interval that contains the claim is no agreement"
    assert outcome(gain + 60, 3).outcome == "not alike"


def test_what_was_not_declared_is_called_exploratory(make_run: Make) -> None:
    found = sentences(lines(arms_of(make_run, 2), "last", None))
    assert found and all(one.startswith("exploratory, ") for one in found)
    assert any("the methods, 2 trainings" in one for one in found)


def test_several_seeds_repeat_the_arms_and_train_a_teacher_once() -> None:
    experiment = Experiment(
        "t",
        "q",
        arms={"a": Arm("a", ["think.teacher.path={model:helper}"]), "b": Arm("b", ["prune.from_run={run:a}"])},
    )
    planned = plan(experiment, "smoke", Scale(arms={"helper": []}))
    arms = repeated(planned, 4, {"a": 2, "b": 2})
    assert [(arm.name, arm.of) for arm in arms] == [
        ("helper", "helper"), ("a", "a"), ("b", "b"), ("a.seed5", "a"), ("b.seed5", "b"),
    ]  # fmt: skip
    assert arms[-2].overrides == ["think.teacher.path={model:helper}", "seed=5"]
    assert arms[-1].overrides == ["prune.from_run={run:a.seed5}", "seed=5"]
    assert [arm.name for arm in repeated(planned, 4, {"a": 3})] == ["helper", "a", "b", "a.seed5", "a.seed6"]
    with pytest.raises(ConfigError, match="b is trained 3 times, and a, whose run it names, 1") as caught:
        repeated(planned, 4, {"b": 3})
    assert caught.value.hint == "train a as often"


def test_an_arm_is_trained_as_often_as_the_user_or_else_the_scale_says() -> None:
    arms = plan(Experiment("t", "q", arms={"a": Arm("a"), "b": Arm("b")}), "smoke", Scale())

    def trainings(seeds: str | None, *extra: str) -> list[str]:
        found = _with_trainings(arms, Scale(seeds={"b": 2}), seeds, extra)
        return [f"{arm.of} {arm.overrides[-1]}" if arm.of != arm.name else arm.of for arm in found]

    assert trainings(None) == ["a", "b", "b seed=1"]
    assert trainings(None, "seed=7") == ["a", "b", "b seed=8"]
    assert trainings("1") == ["a", "b"]
    assert trainings("2", "seed=7") == ["a", "b", "a seed=8", "b seed=8"]
    for count in ("0", "x", "101"):
        with pytest.raises(ConfigError, match="is not a number of trainings"):
            trainings(count)
    with pytest.raises(ConfigError, match="seed=x with several trainings"):
        trainings(None, "seed=x")


def test_how_an_arm_differs_from_the_paper_is_read_from_the_two_configs(tmp_path: Path) -> None:
    experiment = experiments.load("table3")

    def found(scale_name: str) -> dict[str, tuple[str, str]]:
        scale = experiments.scale(experiment, scale_name)
        arms = plan(experiment, scale_name, scale, ["sampler=transformers", f"run_root={tmp_path}"])
        asked = Asked("table3", scale_name, experiment, scale, arms, compose_all(arms, lambda run: False), "tpt")
        return {row["setting"]: (row["here"], row["paper scale"]) for row in differences(asked, {})}

    laptop = found("laptop")
    assert laptop["task"] == ("word_problems", "gsm8k")
    assert laptop["test problems"] == ("150", "500")
    assert laptop["max_tokens, think"] == ("96", "512")
    assert "rounds" not in laptop, "four in both"
    assert not found("paper")
