"""What a round costs in GPU hours, wall time and disk, from published rates: prints the tables of `capacity.md`.

python benchmarks/capacity.py
"""

from dataclasses import dataclass

PROBLEMS, SAMPLES, TOKENS = 7473, 10, 200  # of GSM8K's training split, as in arXiv 2504.18116; tokens of a solution
TEST, TEST_SAMPLES = 500, 20
EXAMPLES, PROMPT = 2000, 150
SAMPLE_BYTES = (
    350  # bytes of a sample and its verdict in our parquet files, measured by scale.py and in runs of word_problems
)
HOUR = 3600.0


@dataclass(frozen=True)
class Model:
    """A model size, and an H100's speed with it.

    Attributes:
        parameters: number of parameters.
        decode: sampled tokens per second and GPU.
        train: trained tokens per second and GPU, including prompts.
        gpus: GPUs per engine.
        start: seconds from the start of a process to its first token or step.
    """

    name: str
    parameters: float
    decode: float
    train: float
    gpus: int
    start: float


# Published for 7B: 9,193 tokens/s sampled (H100, FP8, batch 64, 128 tokens in and out), 7,500 trained (H100, FSDP).
# Other sizes on one GPU in proportion to their parameters. For 70B: 3,317 sampled on 4 GPUs, 380 trained on an A100;
# for 7B an H100 is twice as fast.
MODELS = (
    Model("2B (gemma-2-2b)", 2.6e9, 9193 * 7 / 2.6, 7500 * 7 / 2.6, 1, 60),
    Model("9B (gemma-2-9b)", 9.2e9, 9193 * 7 / 9.2, 7500 * 7 / 9.2, 1, 90),
    Model("70B (llama-3.1-70b)", 70.6e9, 3317 / 4, 380 * 2, 4, 300),
)


def gpu_seconds(model: Model, scale: float) -> dict[str, float]:
    """GPU seconds of each stage's work, for `scale` times the paper's problems, test problems and examples."""
    return {
        "think": scale * PROBLEMS * SAMPLES * TOKENS / model.decode,
        "train": scale * EXAMPLES * (PROMPT + TOKENS) / model.train,
        "evaluate": scale * TEST * TEST_SAMPLES * TOKENS / model.decode,
    }


def wall(model: Model, gpus: int, scale: float) -> float:
    """Seconds per round on some GPUs: the work shared by all, and the starts of two engines and of the training."""
    return sum(gpu_seconds(model, scale).values()) / gpus + 3 * model.start


def table(scale: float) -> list[str]:
    """A line per size."""
    lines = [
        "| model | think, GPU h | train, GPU h | evaluate, GPU h | wall on 8 GPUs | wall on 64 GPUs | model on disk | "
        "checkpoint while training | samples of a round |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model in MODELS:
        work = gpu_seconds(model, scale)
        cells = [
            model.name,
            *(f"{seconds / HOUR:,.2f}" for seconds in work.values()),
            *(_duration(wall(model, gpus, scale)) for gpus in (8, 64)),
            f"{2 * model.parameters / 1e9:,.0f} GB",
            f"{12 * model.parameters / 1e9:,.0f} GB",
            _size(scale * PROBLEMS * SAMPLES * SAMPLE_BYTES),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _duration(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} h"


def _size(count: float) -> str:
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.0f} GB"


def main() -> None:
    """The paper's size, and a billion samples a round."""
    for title, scale in (("The paper's size", 1.0), ("A billion samples", 1e9 / (PROBLEMS * SAMPLES))):
        print(f"## {title}\n", *table(scale), "", sep="\n")


if __name__ == "__main__":
    main()
