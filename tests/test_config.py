"""Configs: what composes, and what is refused with which words."""

import copy
import dataclasses
import functools
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpt import compose, config
from tpt.errors import ConfigError
from tpt.tasks import REGISTRY

GROUPS = ("model", "task", "prune", "train", "sampler", "cluster", "tracker", "experiment")
SHIPPED = [(group, name) for group in GROUPS for name in compose.choices(group)]


@pytest.mark.parametrize(("group", "name"), SHIPPED, ids=str)
def test_every_shipped_config_composes(group: str, name: str) -> None:
    settings = compose.compose([f"{group}={name}", "sampler.engine=transformers"])
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
    assert compose.load(path) == settings


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
        ("model.name=a/b", "names a folder", "letters"),
        ("train.strategy=fsdp train.lora.rank=8", "adapters cannot be merged", "rank=0"),
        ("task.train_size=0", "task.train_size=0", ""),
        ("task.largest=5", "task.largest=5 is out of range; it must be at least 8", ""),
        ("task.max_steps=5", "task.max_steps=5 is out of range; it must be between 1 and 4", ""),
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


def numbers(kind: Any, prefix: str = "") -> Iterator[str]:
    """The settings of a section that are numbers, or lists of them."""
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(item.type):
            yield from numbers(item.type, f"{prefix}{item.name}.")
        elif {int, float} & {item.type, *get_args(item.type)}:
            yield prefix + item.name


def test_every_number_among_the_settings_has_bounds() -> None:
    sections = {f"{name}." if name else "": kind for name, kind in config.SECTIONS.items()}
    found = [key for prefix, kind in sections.items() for key in numbers(kind, prefix)]
    assert len(found) > 60
    assert [key for key in (*found, "rounds", "seed") if key not in config.RANGES] == []
    for task in REGISTRY.values():
        ranges = {name for kind in task.__mro__ for name in vars(kind).get("RANGES", {})}
        assert [key for key in numbers(task) if key not in ranges] == [], task


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1e9])
def test_nothing_that_is_no_number_or_far_below_is_within_any_bounds(wrong: float) -> None:
    settings = compose.compose(
        ["task=code_contests", "+model@think.teacher=tiny-random", "sampler.engine=transformers"]
    )
    ranges = [
        *config.RANGES,
        *(f"task.{name}" for kind in type(settings.task).__mro__ for name in vars(kind).get("RANGES", {})),
    ]
    for key in ranges:
        changed = copy.deepcopy(settings)
        *sections, name = key.split(".")
        holder = functools.reduce(getattr, sections, changed)
        value: Any = [wrong] * 2 if isinstance(getattr(holder, name, None), list) else wrong
        setattr(holder, name, value)
        with pytest.raises(ConfigError, match=name):
            config.validate(changed)


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
    points = list(compose.expand_sweep(["model=a,b", "rounds=1,2", "evaluate.ks=[1,2]"]))
    assert len(points) == 4
    assert ["model=b", "rounds=1", "evaluate.ks=[1,2]"] in points


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_a_sweep_has_as_many_points_as_the_values_multiply_to(first: list[int], second: list[int]) -> None:
    words = [f"seed={','.join(map(str, first))}", f"rounds={','.join(map(str, second))}"]
    assert len(list(compose.expand_sweep(words))) == len(first) * len(second)


def test_a_config_survives_being_written_and_read(tmp_path: Path) -> None:
    settings = compose.compose(["train.lora.rank=8", "sampler.engine=transformers"])
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(config.to_dict(settings))))
    assert compose.load(path) == settings


def test_the_config_the_loop_and_the_run_load_no_torch() -> None:
    code = "import sys, tpt.compose, tpt.loop, tpt.run, tpt.carry_out, tpt.cluster.commands\n"
    code += "tpt.compose.compose(['sampler.engine=transformers'])\n"
    heavy = (
        "[m for m in ('torch', 'vllm', 'transformers', 'pytorch_lightning', 'matplotlib', 'wandb') if m in sys.modules]"
    )
    result = subprocess.run([sys.executable, "-c", f"{code}print({heavy})"], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
