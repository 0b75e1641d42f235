"""Sampling: tpt's think stage against the same engine called directly, and against the common script; and the
transformers engine against `generate`.

    python benchmarks/think.py

All sides get the same prompts (four worked examples and a problem of `word_problems`), n, temperature and limit on new
tokens. Each turn of each side is a separate process; loading the engine does not count, but everything that belongs to
sampling does: decoding, shards and progress on our side. Rates are of sampled tokens, whose number is random if samples
end by themselves.

Sides:
    tpt        `tpt.think.stage.sample` with vLLM
    prompts    the same with one new token per sample: the cost of the prompts
    bare       `vllm.LLM.generate` once, n samples per prompt, with the settings that tpt gives the engine
    script     one pass over all prompts per sample: n=1, eager, no prefix cache
    branching  `tpt.think.stage.sample` with the transformers engine
    generate   transformers' `generate` on padded batches, `num_return_sequences=n`
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from side_by_side import Figure, Timed, save

from tpt import prompt, records
from tpt.models import context_length, locate
from tpt.progress import Progress
from tpt.records import Problem
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.model import AS_IT_IS
from tpt.stages import think as think_stage
from tpt.stages.sharding import Worker
from tpt.think.base import completed

THINK = Stage(1, "think")
KV_GIB = 4  # of keys and values, for each side
PADDED = {"cpu": 4, "cuda": 128}  # problems per batch of `generate`: more is slower on two cores


def settings(root: Path, engine: str, options: argparse.Namespace) -> Config:
    """The config of what all sides do."""
    sizes = (f"task.train_size={options.problems}", f"think.samples_per_problem={options.n}")
    asked = (f"sampler={engine}", f"sampler.kv_cache_gib={KV_GIB}", "tracker=none", f"run_root={root}")
    return compose([*sizes, "rounds=1", *asked, *options.set])


def sampled(config: Config) -> dict[str, float]:
    """Our stage on a run folder that contains only its problems."""
    run = Run.create(config)
    records.write(run.problems_path("train"), Problem, config.task.load("train"))
    run.finish(Stage(0, "prepare"), {"model_dir": str(locate(config.model))}, 0.0)
    run.folder(THINK).mkdir(parents=True, exist_ok=True)
    spent: Counter[str] = Counter()
    with (
        patch.object(records, "write", _timed(records.write, spent, "shards")),
        patch.object(prompt, "encode_prompt", _timed(prompt.encode_prompt, spent, "rendering")),
        patch.object(Progress, "__call__", _timed(Progress.__call__, spent, "progress")),
        patch("tpt.think.vllm.completed", _timed(completed, spent, "detokenising")),
    ):
        think_stage.sample(run, THINK, Progress(run.progress_path(THINK)), Worker())
    [engine] = think_stage.summary(run.folder(THINK))["engines"]
    return {
        "seconds": engine["sample_seconds"],
        "tokens": engine["tokens"],
        "start": engine["start_seconds"],
        **spent,
    }


def _timed(function: Callable[..., Any], spent: Counter[str], name: str) -> Callable[..., Any]:
    """Wrap a function so that it adds the seconds it takes to `spent[name]`."""

    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - started  # type: ignore[assignment]  # a counter of seconds

    return timed


def _prompts(config: Config, folder: Path) -> tuple[list[list[int]], list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [prompt.render(problem, config.task, tokenizer, AS_IT_IS) for problem in config.task.load("train")]
    return ids, prompt.end_ids(tokenizer, folder, AS_IT_IS)


def bare(config: Config, passes: int = 1) -> dict[str, float]:
    """vLLM's own offline interface; with `passes` 1, all samples of a prompt are one request."""
    from tpt.think.vllm import load

    load()
    from vllm import LLM, SamplingParams

    folder = locate(config.model)
    ids, ends = _prompts(config, folder)
    script = passes > 1
    engine = LLM(
        model=str(folder),
        dtype="bfloat16" if config.model.dtype == "bfloat16" else "float32",
        max_model_len=context_length(folder, config.model),
        enable_prefix_caching=not script,
        enforce_eager=True,
        generation_config="vllm",
        kv_cache_memory_bytes=KV_GIB * 2**30,
        enable_chunked_prefill=False,
        max_num_batched_tokens=max(4096, context_length(folder, config.model)),
    )
    think = config.think
    tokens, started = 0, time.perf_counter()
    for number in range(passes):
        parameters = [
            SamplingParams(
                n=think.samples_per_problem // passes,
                temperature=think.temperature,
                top_p=think.top_p,
                max_tokens=think.max_tokens,
                seed=at * think.samples_per_problem + number,
                ignore_eos=True,
                stop_token_ids=ends,
            )
            for at in range(len(ids))
        ]
        outputs = engine.generate([{"prompt_token_ids": one} for one in ids], parameters, use_tqdm=False)
        tokens += sum(len(one.token_ids) for output in outputs for one in output.outputs)
    return {"seconds": time.perf_counter() - started, "tokens": tokens}


def generate(config: Config) -> dict[str, float]:
    """transformers' own `generate`."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = locate(config.model)
    ids, ends = _prompts(config, folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.to(device).eval()
    think = config.think
    torch.manual_seed(0)
    tokens, started = 0, time.perf_counter()
    for start in range(0, len(ids), PADDED[device]):
        some = ids[start : start + PADDED[device]]
        longest = max(map(len, some))
        given = torch.tensor([[0] * (longest - len(one)) + one for one in some])
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in some])
        with torch.inference_mode():
            found = model.generate(
                input_ids=given.to(device),
                attention_mask=mask.to(device),
                do_sample=True,
                temperature=think.temperature,
                top_p=think.top_p,
                top_k=0,
                num_return_sequences=think.samples_per_problem,
                max_new_tokens=think.max_tokens,
                eos_token_id=ends,
                pad_token_id=0,
            )[:, longest:]
        tokens += sum(_length(row, ends) for row in found.tolist())
    return {"seconds": time.perf_counter() - started, "tokens": tokens}


def _length(row: list[int], ends: list[int]) -> int:
    return next((at + 1 for at, one in enumerate(row) if one in ends), len(row))


def side(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Run one turn of one side in this process."""
    if name == "prompts":
        options.set.append("think.max_tokens=1")
    with tempfile.TemporaryDirectory(prefix="tpt-think-") as root:
        if name in ("tpt", "prompts", "branching"):
            return sampled(settings(Path(root), "transformers" if name == "branching" else "vllm", options))
        config = settings(Path(root), "transformers", options)
        return generate(config) if name == "generate" else bare(config, options.n if name == "script" else 1)


def one_turn(
    name: str, problems: int, n: int, given: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run one turn of one side in a separate process, with further settings and variables."""
    command = [sys.executable, __file__, "--side", name, "--problems", str(problems), "--n", str(n), "--set", *given]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def turns(
    names: list[str], problems: int, n: int, count: int, given: Sequence[str] = ()
) -> dict[str, list[dict[str, float]]]:
    """Run each side's turns, one after another, with further settings."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(count):
        for name in names:
            found[name].append(one_turn(name, problems, n, given))
            rate = found[name][-1]["tokens"] / found[name][-1]["seconds"]
            print(f"turn {turn + 1} of {count}: {name:<10} {rate:8.1f} tokens/s", flush=True)
    return found


def against(
    found: dict[str, list[dict[str, float]]], one: str, other: str, what: str, peer: str, mark: float
) -> Figure:
    """The ratio of two sides' rates."""
    rates = {name: [turn["tokens"] / turn["seconds"] for turn in found[name]] for name in (one, other)}
    said = {name: Timed([1 / rate for rate in rates[name]]).rate(1, "tokens") for name in rates}
    counted = [round(statistics.mean(turn["tokens"] for turn in found[name])) for name in (one, other)]
    return Figure(
        what=what,
        peer=peer,
        ours=said[one],
        theirs=said[other],
        ratio=statistics.median(rates[one]) / statistics.median(rates[other]),
        mark=mark,
        same=f"{counted[0]:,} and {counted[1]:,} tokens sampled",
    )


def shares(found: dict[str, list[dict[str, float]]]) -> Figure:
    """Where the time of a think stage goes; everything except sampling must take less than 2%."""

    def share(name: str) -> float:
        return statistics.median(turn[name] / turn["seconds"] for turn in found["tpt"])

    of_prompts, whole = (statistics.median(turn["seconds"] for turn in found[name]) for name in ("prompts", "tpt"))
    parts = {name: share(name) for name in ("detokenising", "rendering", "shards", "progress")}
    beside = parts["rendering"] + parts["shards"] + parts["progress"]
    prefix = of_prompts / whole
    parts = {"prefix": prefix, "decode": 1 - prefix - sum(parts.values()), **parts}
    return Figure(
        what="shards, progress and prompts in a think stage",
        peer="2% of it",
        ours=f"{beside:.2%}",
        theirs="2%",
        ratio=0.02 / beside,
        mark=1.0,
        same=", ".join(f"{name} {part:.2%}" for name, part in parts.items()),
    )


def main() -> None:
    """Run all comparisons, or one turn of one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--set", nargs="*", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(side(options.side, options)))
        return
    vllm = turns(["tpt", "bare", "script", "prompts"], options.problems, options.n, options.turns)
    plain = turns(["branching", "generate"], max(4, options.problems // 6), options.n, options.turns)
    size = f"{options.problems} problems x {options.n}"
    save(
        "think",
        [
            against(vllm, "tpt", "bare", f"think, vLLM, {size}", "vLLM called bare", 0.95),
            against(vllm, "tpt", "script", f"think, vLLM, {size}", "a pass for each sample, no prefix cache", 2.0),
            against(plain, "branching", "generate", "think, transformers engine", "generate on padded batches", 5.0),
            shares(vllm),
        ],
    )


if __name__ == "__main__":
    main()
