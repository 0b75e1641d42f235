"""Configs: what composes, and what is refused with which words."""

import copy
import functools
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpt.cli import main
from tpt.errors import ConfigError
from tpt.runs import identity
from tpt.setting import Setting, walk
from tpt.settings import compose, config, every, loaded, names, overrides
from tpt.tasks import REGISTRY

GROUPS = ("model", "task", "prune", "train", "sampler", "cluster", "tracker", "experiment")
ALONE = ("model", "served")  # only a teacher can be served, see tests/think/test_server.py
SHIPPED = [(group, name) for group in GROUPS for name in names.choices(group) if (group, name) != ALONE]


@pytest.mark.parametrize(("group", "name"), SHIPPED, ids=str)
def test_every_shipped_config_composes(group: str, name: str) -> None:
    own = ["task.path=mine.csv", *(["task.solution=code"] if name == "functions" else [])]
    needed = own if name in ("qa", "functions") else []  # it is the user who has the data
    settings = compose.compose([f"{group}={name}", "sampler.engine=transformers", *needed])
    assert settings.rounds >= 1


def test_the_papers_settings_are_the_configs_of_its_models_and_of_gsm8k() -> None:
    settings = compose.compose(["model=gemma2-2b", "task=gsm8k", "rounds=4", "sampler.engine=transformers"])
    assert settings.train.learning_rate == 1e-6
    assert (settings.think.samples_per_problem, settings.think.temperature) == (10, 0.8)
    assert (settings.evaluate.samples_per_problem, settings.evaluate.temperature) == (20, 0.7)
    assert settings.evaluate.ks == [1, 20]
    assert (settings.prune.examples, settings.prune.per_problem, settings.prune.accumulate) == (2000, 1, False)
    assert (settings.train.epochs, settings.train.warmup, settings.train.start_from) == (1, 0.1, "previous")
    assert settings.task.test_size == 500
    assert compose.compose(["model=llama3.3-70b", "sampler.engine=transformers"]).train.learning_rate == 1e-5


def test_rounds_auto_is_as_many_as_there_can_be_and_survives_being_written(tmp_path: Path) -> None:
    settings = compose.compose(["rounds=auto", "stop.most=5", "sampler.engine=transformers"])
    assert (settings.rounds, settings.stop.auto) == (5, True)
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(config.to_dict(settings))))
    assert loaded.load(path) == settings


def test_the_command_line_has_the_last_word_over_the_task() -> None:
    assert compose.compose(["task=gsm8k", "prune.examples=7", "sampler.engine=transformers"]).prune.examples == 7


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("model=gema2-2b", "unknown model 'gema2-2b'", "gemma2-2b"),
        ("task=gsm8", "unknown task 'gsm8'", "gsm8k"),
        ("prune=ground_thruth", "unknown prune", "ground_truth"),
        ("train.epoch=2", "train.epoch", "train.epochs"),
        ("+train.epoch=2", "train.epoch", "epochs"),
        ("rouns=2", "rouns", "rounds"),
        ("prune.mode=groundtruth", "prune.mode=groundtruth", "ground_truth"),
        ("task.fewshot=2", "fewshot", "few_shot"),
        ("prune.threshold=two", "prune.threshold=two", "all_but_one"),
        ("prune.threshold=0", "prune.threshold=0", "a share of the tests"),
        ("think.temperature=3", "think.temperature=3", ""),
        ("think.temperature=-0.1", "out of range", ""),
        ("think.temperature=hot", "think.temperature", ""),
        ("evaluate.temperature=0", "the same completion every time", "samples_per_problem=1"),
        ("evaluate.ks=[1,400]", "pass@400", "evaluate.ks"),
        ("evaluate.ks=[]", "evaluate.ks is empty", "at least one k"),
        ("rounds=two", "rounds=two is not a whole number", ""),
        ("rounds=often", "rounds=often is not a whole number", "rounds=auto"),
        ("rounds=0.5", "rounds=0.5 is not a whole number", "rounds=auto"),
        ("rounds=auto stop.patience=0", "stop.patience=0 is out of range; it must be at least 1", ""),
        ("rounds=auto stop.minimum=-1", "stop.minimum=-1", ""),
        ("rounds=auto stop.reader=strikt", "stop.reader=strikt is not known", "strict"),
        ("rounds=auto stop.most=0", "stop.most=0", ""),
        ("rounds=auto stop.patiense=2", "stop.patiense", "stop.patience"),
        ("rounds=3 stop.auto=true", "rounds=3 is a number", "rounds=auto stop.most=N"),
        ("seed=1.5", "seed=1.5 is not a whole number", ""),
        ("rounds=-1", "rounds=-1 is out of range", ""),
        ("train.batch_size=0", "train.batch_size=0", ""),
        ("prune.source=mix", "takes nothing from any source", "prune.mix.self"),
        ("prune.mix.human=5", "prune.mix has counts", "prune.source=mix"),
        ("prune.source=run", "need prune.from_run", "folder"),
        ("model.name=a/b", "names the run folder", "letters"),
        ("train.strategy=fsdp train.lora.rank=8", "adapters cannot be merged", "rank=0"),
        ("task.train_size=0", "task.train_size=0", ""),
        ("task.largest=5", "task.largest=5 is out of range; it must be at least 8", ""),
        ("task.max_steps=5", "task.max_steps=5 is out of range; it must be between 1 and 4", ""),
        ("task.train_size=nan", "task.train_size=nan is not a whole number", ""),
        ("task.few_shot=many", "task.few_shot=many is not a whole number", ""),
        ("task.few_shot=null", "task.few_shot is null, and must be a whole number", ""),
        ("task=code_puzzles task.case_sensitive=7x", "task.case_sensitive=7x is not true or false", ""),
        ("train.betas=[0.9]", "train.betas=[0.9]: it must have 2 numbers, not 1", ""),
        ("train.betas=[2,3]", "each must be at least 0 and below 1", ""),
        ("train.lora.dropout=5", "train.lora.dropout=5", ""),
        ("train.lora.alpha=-3", "train.lora.alpha=-3", ""),
        ("train.max_length=-5", "train.max_length=-5", ""),
        ("model.learning_rate=-1 train.learning_rate=0.1", "model.learning_rate=-1", ""),
        ("evaluate.confidence=nan", "evaluate.confidence=nan is not a finite number", ""),
        ("train.clip=inf", "train.clip=inf is not a finite number", ""),
        ("cluster.train.extra.weight=inf", "cluster.train.extra.weight=inf is not a finite number", ""),
        ("seed=-1", "seed=-1 is out of range", ""),
        ('think.stop=[""]', "think.stop=[''] is not allowed", "texts that are not empty"),
        ("think.stop=x", "think.stop", "think.stop=[x]"),
        ("evaluate.min_p=1.5", "evaluate.min_p=1.5", ""),
        ("think.top_k=-1", "think.top_k=-1", ""),
        ("train.thinking=forget", "train.thinking=forget is not known", "drop, keep"),
        ("model.chat=false model.template.a=1", "model.chat=false makes prompts plain text", "leave one of them out"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_do(override: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose.compose(override.split())
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(("key", "value"), [("context", 2), ("dtype", "int4"), ("learning_rate", math.nan)])
def test_a_teacher_is_held_to_what_models_are_held_to(key: str, value: Any) -> None:
    settings = compose.compose(["+model@think.teacher=tiny-random", "sampler.engine=transformers"])
    setattr(settings.think.teacher, key, value)
    with pytest.raises(ConfigError, match=rf"think\.teacher\.{key}={value}"):
        config.validate(settings)


def every_setting() -> list[Setting]:
    """The settings of all sections and of all tasks."""
    return [*walk(config.Config), *(one for task in REGISTRY.values() for one in walk(task, "task."))]


def holds(one: Setting) -> set[Any]:
    """The types of a setting's values: of a list, of the elements."""
    return {one.base, *get_args(one.inner)}


def test_every_number_among_the_settings_has_bounds() -> None:
    numbers = [one for one in every_setting() if holds(one) & {int, float}]
    assert len({one.key for one in numbers}) > 60
    assert [one.key for one in numbers if not one.facts.bounds] == []


def test_every_text_among_the_settings_has_choices_or_says_why_not() -> None:
    texts = [one for one in every_setting() if str in holds(one) and one.base is not dict]
    assert len({one.key for one in texts}) > 40
    bounded = [one for one in texts if one.facts.choices or (one.facts.fits and one.facts.words)]
    assert {"prune.mode", "prune.threshold", "train.lora.targets", "task.language"} <= {one.key for one in bounded}
    assert [one.key for one in texts if one not in bounded and not one.path and not one.facts.free] == []
    free = [one for one in texts if one.facts.free]
    reasons = ("any", "own name", "own names")
    assert [one.key for one in free if not any(word in one.facts.help.lower() for word in reasons)] == []


def test_every_setting_says_what_it_means_in_a_sentence() -> None:
    settings = [one for one in every_setting() if not one.section or one.kind is not one.base]
    assert [one.key for one in settings if not one.facts.help.endswith(".") or len(one.facts.help) < 15] == []


def with_value(settings: config.Config, key: str, value: Any) -> config.Config:
    """A copy of a config with another value; in the place of a list, with a list of two such values."""
    changed = copy.deepcopy(settings)
    *sections, name = key.split(".")
    holder = functools.reduce(getattr, sections, changed)
    setattr(holder, name, [value] * 2 if isinstance(getattr(holder, name), list) else value)
    return changed


@pytest.fixture(scope="module")
def large() -> config.Config:
    """A config with a teacher and with a task that has many settings."""
    return compose.compose(["task=code_contests", "+model@think.teacher=tiny-random", "sampler.engine=transformers"])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1e9])
def test_nothing_that_is_no_number_or_far_below_is_within_any_bounds(large: config.Config, wrong: float) -> None:
    bounded = [one.key for one in walk(large) if one.facts.bounds]
    assert len(bounded) >= 80
    assert {"think.teacher.context", "task.labelled", "cluster.train.cpus", "seed"} <= {*bounded}
    for key in bounded:
        with pytest.raises(ConfigError, match=key):
            config.validate(with_value(large, key, wrong))


def test_a_text_that_is_no_choice_is_refused_everywhere_with_the_nearest(large: config.Config) -> None:
    chosen = [one for one in walk(large) if one.facts.choices]
    assert {"think.teacher.dtype", "task.sandbox", "tracker.mode"} <= {one.key for one in chosen}
    for one in chosen:
        with pytest.raises(ConfigError, match=rf"{one.key}=.* is not known; one of: ") as caught:
            config.validate(with_value(large, one.key, f"{one.facts.choices[0]}x"))
        assert caught.value.hint == f"did you mean '{one.facts.choices[0]}'?"


REFUSED = [
    ("train.max_length=-5", "train.max_length=-5 is out of range; it must be at least 2"),
    ("train.betas=[0.9]", "it must have 2 numbers, not 1"),
    ("train.betas=[nan,0.9]", "train.betas[0]=nan is not a finite number"),
    ("train.lora.dropout=7", "train.lora.dropout=7.0 is out of range"),
    ("train.lora.alpha=0", "train.lora.alpha=0 is out of range"),
    ("train.lora.targets=[]", "train.lora.targets is empty"),
    ("train.lora.targets=[' ']", "train.lora.targets=[' '] is not allowed"),
    ("model.learning_rate=-1", "model.learning_rate=-1.0 is out of range"),
    ("evaluate.ks=[inf]", "evaluate.ks[0]=inf is not a whole number"),
    ("train.clip=${oc.env:WRONG}", "train.clip=nan is not a finite number"),
    ("seed=${oc.env:WRONG}", "seed=nan is not a whole number"),
    ("cluster.train.extra.weight=${oc.env:WRONG}", "cluster.train.extra.weight=nan is not a finite number"),
    ("cluster.train.extra={a: -inf}", "cluster.train.extra.a=-inf is not a finite number"),
    ("cluster.train.extra={a: [1]}", "cluster.train.extra.a=[1] cannot be; it must be a text"),
    ("cluster.train.extra={a: null}", "cluster.train.extra.a=null cannot be"),
    ("cluster.sizes.small.cpus=nan", "cluster.sizes.small.cpus=nan is not a finite number"),
    ("cluster.sizes.small=3", "cluster.sizes.small=3 cannot be; it must be a map"),
    ("evaluate.also=[test]", "evaluate.also=['test'] is not allowed"),
    ("evaluate.also=[Dev]", "evaluate.also=['Dev'] is not allowed"),
    ("evaluate.also=[dev,dev]", "dev is there twice"),
    ("task.largest=7", "task.largest=7 is out of range; it must be at least 8"),
]


@pytest.mark.parametrize(("override", "message"), REFUSED)
@pytest.mark.parametrize("command", ["run", "config"])
def test_the_commands_refuse_it_before_anything_runs(
    command: str,
    override: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WRONG", "nan")
    assert main([command, override, f"run_root={tmp_path / 'runs'}", "sampler.engine=transformers"]) == 1
    assert message in " ".join("".join(capsys.readouterr()).split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {betas: [0.9]}", "train.betas=[0.9]: it must have 2 numbers"),
        ("train: {clip: .inf}", "train.clip=inf is not a finite number"),
        ("train: {lora: {alpha: 0}}", "train.lora.alpha=0"),
        ("cluster: {think: {extra: {weight: .nan}}}", "cluster.think.extra.weight=nan is not a finite number"),
        ("cluster: {sizes: {small: {cpus: [1, -.inf]}}}", "cluster.sizes.small.cpus[1]=-inf is not a finite number"),
        ("evaluate: {also: [a-b]}", "evaluate.also=['a-b'] is not allowed"),
    ],
)
def test_a_users_own_file_is_held_to_the_same(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    command = ["config", "experiment=mine", "sampler.engine=transformers", "--config-dir", str(tmp_path)]
    assert main(command) == 1
    assert message in " ".join("".join(capsys.readouterr()).split())


def test_further_evaluations_are_named_and_change_no_fingerprint() -> None:
    settings = compose.compose(["evaluate.also=[train]", "sampler.engine=transformers"])
    assert settings.evaluate.also == ["train"]
    without = compose.compose(["sampler.engine=transformers"])
    assert without.evaluate.also == []
    assert config.to_dict(settings, runtime=False) == config.to_dict(without, runtime=False)
    with pytest.raises(ConfigError, match="word_problems has no further set 'trian'") as caught:
        compose.compose(["evaluate.also=[trian]", "sampler.engine=transformers"])
    assert caught.value.hint == "did you mean 'train'?"


# Hashes of the settings that results depend on. Whoever changes one gives every run another folder.
KEPT = {
    "": "b00303faf2a5f9bf",
    "task=gsm8k": "fdc8548c44efbfc5",
    "task=leetcode": "3e5a7f9e7ebbc1c6",
    "task=code_contests": "3a86fde7a6484267",
    "task=code_puzzles": "de2623a4dd380b70",
    "task=reasoning_gym": "2fcd7d16d506954d",
    "experiment=paper_gsm8k": "2595b7b49851a245",
    "prune=none": "8f3bb5556c18dd1a",
    "prune=soft_positive task=code_puzzles": "fe9f682fc5ce0bb1",
    "prune=well_formed_wrong": "28a3c063b7378f1e",
    "prune.decontaminate=ngram prune.flip.rate=0.1": "dc0b96d4cd429822",
    "train=lora train.group_problems=true": "b5633c5c719eb494",
    "train=fsdp": "4c279999d9a9d93f",
    "+model@think.teacher=gemma2-9b model=gemma2-2b": "760cea619a1aebfe",
    "rounds=4 stop.most=5": "b00303faf2a5f9bf",
    "cluster=slurm model=llama3.3-70b": "076cd0bc337c4cb0",
    "seed=3 prune.source=mix prune.mix.self=5": "d4fce7426a507a8b",
}


@pytest.mark.parametrize("overrides", KEPT)
def test_what_results_depend_on_is_as_it_was(overrides: str) -> None:
    settings = compose.compose([*overrides.split(), "sampler.engine=transformers"])
    assert identity.digest(identity.settings_of(settings, identity.contents(settings))) == KEPT[overrides]


def test_every_setting_has_its_facts_once(large: config.Config) -> None:
    found = list(every())
    known = {key: one for key, one in names.settings().items() if not key.endswith(".")}
    groups = {key for key, one in known.items() if one.section and key != "think.teacher"}
    assert {one.key for one in found} == known.keys() - groups
    assert len({(one.task, one.key) for one in found}) == len(found)
    assert {one.task for one in found} == {"", *REGISTRY}
    dropout = next(one for one in found if one.key == "train.lora.dropout")
    assert (dropout.kind, dropout.default, dropout.allowed) == ("a number", 0.0, "at least 0 and below 1")
    assert (dropout.runtime, dropout.path) == (False, False)
    assert dropout.section.startswith("Low-rank adapters")
    by_key = {one.key: one for one in found if not one.task}
    assert by_key["cluster.train.cpus"].runtime
    assert by_key["train.betas"].kind == "a list of numbers"
    assert by_key["train.betas"].allowed == "at least 0 and below 1; 2 of them"
    assert by_key["model.context"].kind == "a whole number or null"
    assert by_key["train.learning_rate"].default == "???"
    assert by_key["evaluate.samples_per_problem"].default == 20
    assert by_key["sampler.python"].path
    [steps] = [one for one in found if one.key == "task.max_steps" and one.task == "code_puzzles"]
    assert (steps.default, steps.allowed) == (2, "between 1 and 2")


def test_composing_a_config_loads_nothing_that_samples_or_runs() -> None:
    code = "import sys, tpt.settings.compose\n"
    code += "tpt.settings.compose.compose(['sampler.engine=transformers'])\n"
    code += "above = ('tpt.think', 'tpt.runs', 'tpt.models', 'tpt.launch', 'tpt.stages', 'tpt.train')\n"
    code += "print([one for one in sys.modules if one.startswith(above)])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_users_own_config_folder_adds_choices(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("name: mine\npath: some/where\nlearning_rate: 2e-5\n")
    settings = compose.compose(["model=mine", "sampler.engine=transformers"], tmp_path)
    assert (settings.model.name, settings.train.learning_rate) == ("mine", 2e-5)


def test_another_model_can_be_the_teacher() -> None:
    settings = compose.compose(["model=gemma2-2b", "+model@think.teacher=gemma2-9b", "sampler.engine=transformers"])
    assert settings.think.teacher is not None
    assert settings.think.teacher.path == "google/gemma-2-9b-it"


def test_a_sweep_is_the_product_of_its_values() -> None:
    points = list(overrides.expand_sweep(["model=a,b", "rounds=1,2", "evaluate.ks=[1,2]"]))
    assert len(points) == 4
    assert ["model=b", "rounds=1", "evaluate.ks=[1,2]"] in points


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_a_sweep_has_as_many_points_as_the_values_multiply_to(first: list[int], second: list[int]) -> None:
    words = [f"seed={','.join(map(str, first))}", f"rounds={','.join(map(str, second))}"]
    assert len(list(overrides.expand_sweep(words))) == len(first) * len(second)


def test_a_config_survives_being_written_and_read(tmp_path: Path) -> None:
    settings = compose.compose(["train.lora.rank=8", "sampler.engine=transformers"])
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(config.to_dict(settings))))
    assert loaded.load(path) == settings


def test_the_config_the_loop_and_the_run_load_no_torch() -> None:
    code = "import sys, tpt.settings.compose, tpt.launch.loop, tpt.runs.folder, tpt.carry_out, tpt.cluster.commands\n"
    code += "tpt.settings.compose.compose(['sampler.engine=transformers'])\n"
    heavy = (
        "[m for m in ('torch', 'vllm', 'transformers', 'pytorch_lightning', 'matplotlib', 'wandb') if m in sys.modules]"
    )
    result = subprocess.run([sys.executable, "-c", f"{code}print({heavy})"], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
