"""On a GPU: how much of the chip training uses, how much memory it leaves, and the transformers engine's batching.

    python benchmarks/gpu.py                       # llama's architecture at 1B and at 135M, random weights
    python benchmarks/gpu.py --sizes tiny          # takes seconds on any machine: checks that this script works

The chip's rate is measured with a large product of bfloat16 matrices; the time of optimizer steps of `tpt.train.fit` is
measured without the first ones. Model FLOPs are 6 per token and parameter that multiplies, plus 12 per layer, unit of a
head and pair of tokens of which one sees the other (arXiv 2204.02311, appendix B); a token shared by several examples
counts once, because it is computed once. Utilisation is the ratio of the two rates. Two further steps are profiled, to
show what the device was busy with.

The transformers engine refills the rows of finished samples with new problems; its peer, `generate`, pads a batch of
the same number of rows and waits for its longest sample. Both are sides of `think.py`.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from side_by_side import Figure, figure, save, table
from think import PADDED, against, turns
from train import Clock

from tpt import records
from tpt.records import Example
from tpt.settings.train import TrainConfig

LLAMA = {
    "1b": (2048, 16, 32, 8, 8192, 128_256),  # llama3.2-1b
    "135m": (576, 30, 9, 3, 1536, 49_152),  # SmolLM2-135M
    "tiny": (64, 2, 4, 2, 128, 512),
}
PROMPT, COMPLETION = 120, 180  # tokens, about as in GSM8K
LEFT_OUT = 3  # steps in which kernels are compiled and memory is allocated
PROFILED = 2  # steps after the timed ones
KINDS = {  # of kernels, by a part of their names; the first match counts
    "attention": ("flex", "flash", "fmha"),
    "loss": ("liger", "cross_entropy", "element_mul"),
    "optimizer": ("adam", "multi_tensor"),
    "products": ("gemm", "nvjet", "cutlass", "cublas", "xmma"),
    "copies": ("memcpy", "memset", "copy"),
}
GOAL = {"1b": 0.45}


@dataclass
class Trained:
    """What a training run took.

    Attributes:
        seconds: median time of an optimizer step.
        flops: model FLOPs per step.
        peak: peak device memory in bytes.
        busy: seconds per step that the device spent on kernels of each of `KINDS`, and on others.
    """

    seconds: float
    flops: float
    peak: int
    busy: dict[str, float]


class ProfiledClock(Clock):
    """A clock that profiles the steps after the first few."""

    def __init__(self, steps: int) -> None:
        import torch

        super().__init__()
        self._first = steps
        self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])

    def __call__(self, done: int, total: int, *_: object, **__: object) -> None:
        """Record the time; start or stop profiling."""
        super().__call__(done, total)
        if device() == "cuda" and done == self._first:
            self.profiler.start()
        elif device() == "cuda" and done == self._first + PROFILED:
            _wait()
            self.profiler.stop()
            longest = {"sort_by": "self_device_time_total", "row_limit": 15, "max_name_column_width": 100}
            print(self.profiler.key_averages().table(**longest))

    def busy(self) -> dict[str, float]:
        """Seconds per step by kind of kernel."""
        found: Counter[str] = Counter()
        for event in self.profiler.key_averages() if device() == "cuda" else []:
            name = event.key.lower()
            kind = next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "others")
            found[kind] += event.self_device_time_total / 1e6 / PROFILED
        return dict(found.most_common())


def device() -> str:
    """The device on which everything is computed."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def gpu() -> str:
    """The GPU's name."""
    import torch

    return torch.cuda.get_device_name() if device() == "cuda" else "none"


def chip_rate(size: int) -> float:
    """FLOP/s of multiplying two square bfloat16 matrices."""
    import torch

    one, other = (torch.randn(size, size, device=device(), dtype=torch.bfloat16) for _ in range(2))
    taken = []
    for _ in range(20):
        _wait()
        started = time.perf_counter()
        one @ other
        _wait()
        taken.append(time.perf_counter() - started)
    return float(2 * size**3 / statistics.median(taken))


def _wait() -> None:
    import torch

    if device() == "cuda":
        torch.cuda.synchronize()


def checkpoint(size: str, folder: Path) -> Any:
    """A model of llama's architecture with random weights, and a tokenizer; returns its config."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from tpt.models import locate
    from tpt.settings.compose import compose

    hidden, layers, heads, kv_heads, inner, words = LLAMA[size]
    config = LlamaConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=inner,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(locate(compose(["model=tiny-random"]).model)).save_pretrained(folder)
    return config


def trained(size: str, batch: int, steps: int) -> Trained:
    """`fit` on examples of random tokens."""
    import torch

    from tpt.train.fit import fit

    rng = random.Random(0)
    words = LLAMA[size][5]
    examples = [
        Example(f"p{number}", "self", 1, _tokens(rng, words, PROMPT), _tokens(rng, words, COMPLETION), "")
        for number in range(batch * (LEFT_OUT + steps + PROFILED))
    ]
    asked = TrainConfig(learning_rate=1e-5, batch_size=batch, checkpoint_every=10**6, precision="bf16-mixed")
    with tempfile.TemporaryDirectory(prefix="tpt-gpu-") as folder:
        config = checkpoint(size, Path(folder) / "model")
        records.write(Path(folder) / "examples.parquet", Example, examples)
        clock = ProfiledClock(LEFT_OUT + steps)
        if device() == "cuda":
            torch.cuda.reset_peak_memory_stats()
        fit(Path(folder) / "model", Path(folder) / "examples.parquet", Path(folder) / "out", asked, 0, 4096, clock)
    ended = clock.ended[LEFT_OUT - 1 : LEFT_OUT + steps]
    between = [after - before for before, after in pairwise(ended)]
    peak = torch.cuda.max_memory_allocated() if device() == "cuda" else 0
    return Trained(statistics.median(between), batch * flops(config, PROMPT + COMPLETION), peak, clock.busy())


def flops(config: Any, tokens: int) -> float:
    """FLOPs of forward and backward over one sequence, with only the completion projected to the vocabulary."""
    size = config.hidden_size // config.num_attention_heads
    attention = config.hidden_size * size * 2 * (config.num_attention_heads + config.num_key_value_heads)
    layer = attention + 3 * config.hidden_size * config.intermediate_size
    head = config.hidden_size * config.vocab_size * COMPLETION / tokens
    pairs = tokens * (tokens + 1) / 2
    seen = 12 * config.num_hidden_layers * config.num_attention_heads * size * pairs
    return float(6 * (config.num_hidden_layers * layer + head) * tokens + seen)


def _tokens(rng: random.Random, words: int, count: int) -> list[int]:
    return [rng.randrange(3, words) for _ in range(count)]


def utilisation(size: str, batch: int, steps: int, chip: float) -> list[Figure]:
    """Utilisation and memory of training at one size."""
    import torch

    found = trained(size, batch, steps)
    rate = found.flops / found.seconds
    tokens = batch * (PROMPT + COMPLETION) / found.seconds
    what = f"train {size}, {batch} examples of {PROMPT} + {COMPLETION} tokens a step"
    shares = {kind: seconds / found.seconds for kind, seconds in found.busy.items()}
    shares["idle"] = 1 - sum(shares.values())
    profile = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items()) if found.busy else "not profiled"
    lines = [
        Figure(
            f"{what}: model FLOPs",
            "the chip's measured bfloat16 rate",
            f"{rate / 1e12:.3g} TFLOP/s, {figure(tokens)} tokens/s",
            f"{chip / 1e12:.3g} TFLOP/s",
            rate / chip,
            GOAL.get(size),
            f"median of {steps} steps; {profile}",
        )
    ]
    if device() == "cuda":
        whole = torch.cuda.get_device_properties(0).total_memory
        lines.append(
            Figure(
                f"{what}: peak memory",
                "the device's",
                f"{found.peak / 2**30:.1f} GiB",
                f"{whole / 2**30:.1f} GiB",
                whole / found.peak,
                1.0,
                "weights, gradients and AdamW's moments in float32",
            )
        )
    return lines


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=LLAMA, default=["1b", "135m"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--problems", type=int, default=1024)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--parts", nargs="+", choices=["train", "think"], default=["train", "think"])
    options = parser.parse_args()
    tiny = options.sizes == ["tiny"]
    if "train" in options.parts:
        chip = chip_rate(512 if tiny else 8192)
        lines = [line for size in options.sizes for line in utilisation(size, options.batch, options.steps, chip)]
        if tiny:
            print("\n".join(table({"gpu_train": lines})))
        else:
            save("gpu_train", lines, gpu=gpu())
    if "think" in options.parts and not tiny:
        rows = PADDED["cuda"] * options.n
        asked = [f"sampler.max_num_seqs={rows}"]
        sides = turns(["branching", "generate"], options.problems, options.n, options.turns, asked)
        what = f"transformers engine, {options.problems} problems x {options.n}: {rows} rows filled up"
        line = against(sides, "branching", "generate", what, "padded batches of generate, as many rows", 1.0)
        save("gpu_think", [line], gpu=gpu())


if __name__ == "__main__":
    main()
