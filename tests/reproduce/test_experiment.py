"""Experiments: what their files may say, and that every one that is shipped can be planned at every scale."""

from pathlib import Path

import pytest

from tpt.errors import ConfigError
from tpt.reproduce import experiment as experiments
from tpt.reproduce.arms import PlannedArm, compose_all, expand, plan
from tpt.reproduce.experiment import SCALES, Arm, Experiment, Scale
from tpt.reproduce.paper import load_paper

GOOD = """
title: Two arms
question: Is one better?
arms:
  one: {label: "one of {n}", overrides: ["prune.examples={n}"]}
  two: {label: two, against: one}
"""


def written(folder: Path, text: str) -> Experiment:
    path = folder / "experiment.yaml"
    path.write_text(text)
    experiment = experiments.read(path, Experiment)
    experiment.validate("here")
    return experiment


def test_an_experiment_file_becomes_typed_arms_in_its_own_order(tmp_path: Path) -> None:
    experiment = written(tmp_path, GOOD)
    assert list(experiment.arms) == ["one", "two"]
    assert experiment.arms["two"].against == "one"
    assert experiment.rounds == "last"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("tittle: x", "unknown key 'tittle'", "title"),
        ("rounds: every", "rounds=every", "last, all"),
        ("columns: [pass@1]", "columns=pass@1", "pass@k"),
        ("analysis: diverse", "analysis=diverse", "diversity"),
        ("scales: {labtop: {}}", "scales=labtop", "laptop"),
        ("scales: {laptop: {seeds: {oen: 3}}}", "scales.laptop.seeds=oen", "one"),
        ("scales: {laptop: {seeds: {one: 0}}}", "scales.laptop.seeds.one=0", "from 1 to 100"),
        ("scales: {laptop: {override: []}}", "unknown key 'scales.laptop.override'", "overrides"),
        ("base: {a: b}", "Cannot merge", "others"),
    ],
)
def test_a_wrong_line_is_refused_with_the_nearest_name(tmp_path: Path, line: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, f"{GOOD}{line}\n")
    assert message in caught.value.message
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("{lable: three}", "unknown key 'arms.three.lable'"),
        ("{overrides: []}", "lacks a label"),
        ("{label: three, against: four}", "arms.three.against=four"),
        ("{label: three, against: three}", "arms.three.against=three"),
        ("{label: three, scales: [cloud]}", "scales=cloud"),
    ],
)
def test_a_wrong_arm_is_refused(tmp_path: Path, arm: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        written(tmp_path, f"{GOOD}  three: {arm}\n")


def test_what_is_no_yaml_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        written(tmp_path, "title: [")


def test_an_unknown_experiment_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        experiments.load("tabel3")
    assert "table3" in caught.value.hint


def test_a_value_takes_the_place_of_its_name_and_a_list_that_of_several_overrides() -> None:
    values = {"n": 5, "task": ["task=gsm8k", "prune.examples={n}"]}
    assert expand(["{task}", "seed={n}", "model.path={model:one}"], values) == [
        "task=gsm8k",
        "prune.examples=5",
        "seed=5",
        "model.path={model:one}",
    ]
    with pytest.raises(ConfigError, match=r"names \{size\}, which has no value"):
        expand(["prune.examples={size}"], values)


def planned(arms: dict[str, list[str]], helpers: dict[str, list[str]] | None = None) -> list[PlannedArm]:
    experiment = Experiment("title", "question", arms={name: Arm(name, one) for name, one in arms.items()})
    return plan(experiment, "smoke", Scale(arms=helpers or {}))


def test_an_arm_comes_after_those_whose_runs_it_names() -> None:
    arms = {"a": ["prune.from_run={run:b}"], "b": ["model.path={model:helper}"], "c": []}
    order = planned(arms, {"helper": [], "unneeded": []})
    assert [one.name for one in order] == ["helper", "b", "a", "c"]
    assert {one.name: one.needs for one in order}["a"] == ["b"]
    assert order[0].label == ""


def test_arms_that_wait_for_each_other_or_for_nobody_are_refused() -> None:
    with pytest.raises(ConfigError, match="wait for each other: a -> b -> a"):
        planned({"a": ["x={run:b}"], "b": ["x={model:a}"]})
    with pytest.raises(ConfigError, match="a names the run of nobody"):
        planned({"a": ["x={run:nobody}"]})


def test_an_arm_is_part_of_its_scales_alone_and_the_users_overrides_come_last() -> None:
    experiment = Experiment("t", "q", base=["seed=1"], arms={"a": Arm("a"), "b": Arm("b", scales=["paper"])})
    [arm] = plan(experiment, "smoke", Scale(overrides=["rounds=1"]), ["seed=2"])
    assert arm.overrides == ["rounds=1", "seed=1", "seed=2"]


@pytest.mark.parametrize("scale_name", SCALES)
@pytest.mark.parametrize("name", experiments.names())
def test_every_shipped_experiment_composes_and_plans(name: str, scale_name: str, tmp_path: Path) -> None:
    experiment = experiments.load(name)
    scale = experiments.scale(experiment, scale_name)
    arms = plan(experiment, scale_name, scale, ["sampler=transformers", f"run_root={tmp_path}"])
    configs = compose_all(arms, lambda run: False)
    assert [arm for arm in arms if arm.label]
    assert all(config.rounds >= 1 for config in configs.values())
    assert not list(tmp_path.iterdir())
    for arm in arms:  # what it is compared with is evaluated on the same problems
        if arm.against:
            one, other = configs[arm.name], configs[arm.against]
            assert (one.task, one.evaluate) == (other.task, other.evaluate)


@pytest.mark.parametrize("name", experiments.names())
def test_every_shipped_experiment_has_a_page_and_the_papers_figures_where_it_is_a_table_of_the_paper(name: str) -> None:
    assert (experiments.experiments_dir() / name / "README.md").exists()
    experiment = experiments.load(name)
    paper = load_paper(name, experiment)
    assert (paper is not None) == name.startswith("table")
    if paper:
        at_paper_scale = [arm for arm, one in experiment.arms.items() if "paper" in one.scales]
        assert sorted(paper.arms) == sorted(at_paper_scale)
        assert all(0 in rounds for rounds in paper.arms.values())


def test_at_paper_scale_table_3_is_the_papers_setting() -> None:
    experiment = experiments.load("table3")
    arms = plan(experiment, "paper", experiments.scale(experiment, "paper"), ["sampler=transformers"])
    small = compose_all(arms, lambda run: False)["small"]
    assert (small.model.path, small.task.name, small.rounds) == ("google/gemma-2-2b-it", "gsm8k", 4)
    assert (small.prune.examples, small.prune.mode, small.train.learning_rate) == (2000, "ground_truth", 1e-6)
