"""How much work is done, counted: unlike seconds, the counts are the same on every machine, and must not grow."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from evaluations import finish_round

from tpt import records
from tpt.hardware import cpu_threads, free_memory
from tpt.prune.prune import prune
from tpt.prune.sources import Inputs
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs import rounds
from tpt.runs.folder import Run
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.settings.prune import PruneConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.base import Draw, Prompt
from tpt.think.engines import make_sampler

HEAVY = ("torch", "transformers", "pytorch_lightning", "vllm", "datasets", "matplotlib", "wandb", "sympy", "scipy")
SLOW = (*HEAVY, "numpy", "pyarrow", "hydra", "filelock", "tpt.judges.answer", "tpt.judges.code.judge")


@pytest.mark.parametrize(
    "module", ["tpt.cli", "tpt.settings.compose", "tpt.runs.folder", "tpt.commands", "tpt.launch.worker"]
)
def test_what_plans_and_watches_a_run_imports_nothing_that_computes(module: str) -> None:
    code = f"import sys, {module}; print([one for one in {HEAVY!r} if one in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_status_imports_nothing_slow_even_where_evaluations_decide_the_rounds(
    tiny_config: Callable[..., Config],
) -> None:
    run = Run.create(tiny_config("rounds=auto", "stop.patience=1", "stop.most=2"))
    for round, solved in enumerate((10, 30, 30)):
        finish_round(run, round, solved)
    rounds.record(run)
    code = f"from tpt.cli import main; main(['status', sys.argv[1]]); print([m for m in {SLOW!r} if m in sys.modules])"
    command = [sys.executable, "-c", f"import sys; {code}", str(run.root)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "stopped after round 2: round 2 gained +0.0" in shown[-2]
    assert shown[-1] == "[]"


def test_the_engine_computes_what_prompts_share_once_and_a_prompt_once_for_all_its_samples(tiny_model: Path) -> None:
    rng = random.Random(0)
    shared, own, problems, n, length = 300, 10, 8, 4, 8
    prefix = [rng.randrange(3, 500) for _ in range(shared)]
    prompts = [
        Prompt(f"p{i}", [*prefix, 500 + i, *(rng.randrange(3, 500) for _ in range(own - 1))], 100 * i)
        for i in range(problems)
    ]
    computed: list[int] = []
    settings = SamplerConfig(engine="transformers", max_num_seqs=problems * n)
    with make_sampler(settings, ModelConfig(name="tiny-random", source="random"), tiny_model, 512, 0) as sampler:
        model: torch.nn.Module = sampler._model  # type: ignore[attr-defined]  # there is no other way to look inside
        model.get_submodule("model.embed_tokens").register_forward_hook(
            lambda _, given, out: computed.append(given[0].numel())
        )
        drawn = list(sampler.sample(prompts, Draw(n, 1.0, 1.0, length, end_ids=())))
    useful = sum(len(one.ids) for _, completions in drawn for one in completions)
    assert useful == problems * n * length
    assert sum(computed) == shared + problems * (own - 1) + useful
    assert sum(computed) < 3 * useful < problems * n * (shared + own)


def test_pruning_reads_the_tokens_of_what_it_draws_only(tmp_path: Path) -> None:
    inputs = _many_samples(tmp_path, problems=2000, n=5)
    size = inputs.samples[0].stat().st_size

    def read(examples: int) -> float:
        before = psutil.Process().io_counters().read_chars
        prune(inputs, PruneConfig(examples=examples), 1, 0, tmp_path / "examples.parquet")
        return (psutil.Process().io_counters().read_chars - before) / size

    few, all_of_them = read(1), read(2000)
    assert few < 0.5, "three passes over problem, text and verdict, and one row group of tokens"
    assert all_of_them > few + 0.7


@pytest.mark.parametrize(
    ("said", "threads"), [("3", 3), ("2,1", 2), ("", os.cpu_count()), ("0", os.cpu_count()), ("many", os.cpu_count())]
)
def test_engines_heed_how_many_threads_they_are_given(said: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    assert cpu_threads() == threads


def test_an_engine_on_a_cpu_takes_a_share_of_the_memory_that_its_control_group_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tpt.hardware.CGROUPS", tmp_path)
    monkeypatch.setattr("tpt.hardware.OWN_CGROUPS", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("4:memory:/elsewhere\n0::/\n")
    whole = psutil.virtual_memory().available
    assert free_memory() == pytest.approx(whole, rel=0.1)
    (tmp_path / "memory.max").write_text(f"{3 * 2**30}\n")
    (tmp_path / "memory.current").write_text(f"{2**30}\n")
    assert free_memory() == 2 * 2**30
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == pytest.approx(whole, rel=0.1)


def _many_samples(folder: Path, problems: int, n: int) -> Inputs:
    rng = random.Random(0)
    samples, verdicts = [], []
    for problem in range(problems):
        for index in range(n):
            tokens = [rng.randrange(50_000) for _ in range(60)]
            samples.append(Sample(f"p/{problem}", index, tokens[:20], tokens, f"way {index}", "stop"))
            verdicts.append(Verdict(f"p/{problem}", index, Status.CORRECT, Status.CORRECT, Status.CORRECT))
    paths = [folder / f"{name}-00000.parquet" for name in ("samples", "verdicts")]
    records.write(paths[0], Sample, samples)
    records.write(paths[1], Verdict, verdicts)
    records.write(folder / "train.parquet", Problem, [Problem(f"p/{one}", "?", "1") for one in range(problems)])

    def no_encoder(problem: Problem, text: str) -> tuple[list[int], list[int]]:
        raise AssertionError("a sample's own tokens are there")

    return Inputs([paths[0]], [paths[1]], folder / "train.parquet", no_encoder)
