"""Fine-tuning: tpt's module against TRL's SFTTrainer, on the same model, examples, precision and effective batch.

    python benchmarks/train.py --trl PYTHON       # `make bench` makes an environment for TRL and names its Python

Examples are worked solutions of `word_problems`: with the four worked examples of its prompt, without them, and with
several solutions per problem (taken from other problems). Every step takes all of them, so that both sides see the same
batches, in whatever order, and their losses can be compared step by step. The time is from the end of the first step, a
warm-up, to the end of the last; rates are of useful tokens: those of the completions, the only ones trained on.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import Figure, Timed, faster, save

from tpt import files, prompt, records
from tpt.models import context_length, locate
from tpt.progress import Progress
from tpt.records import Example
from tpt.settings.compose import compose
from tpt.settings.model import AS_IT_IS
from tpt.settings.train import TrainConfig

CLOSE = 0.05  # relative difference of two losses: both compute in bfloat16, in different orders
RATE = 3e-5


class Clock(Progress):
    """The time at the end of each optimizer step."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[float] = []

    def __call__(self, done: int, total: int, *_: object, **__: object) -> None:
        """Record the time."""
        self.ended.append(time.perf_counter())


def examples(few_shot: int, count: int, solutions: int) -> list[Example]:
    """Prompts and worked solutions in the embedded model's tokens, with `solutions` solutions per problem."""
    from transformers import AutoTokenizer

    config = compose([f"task.train_size={count}", f"task.few_shot={few_shot}"])
    folder = locate(config.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    end = prompt.end_ids(tokenizer, folder, AS_IT_IS)[0]
    problems = list(config.task.load("train"))
    return [
        Example(
            one.id,
            "human",
            1,
            prompt.render(one, config.task, tokenizer, AS_IT_IS),
            prompt.encode_completion(other.solution, tokenizer, end),
            other.solution,
        )
        for number in range(0, count, solutions)
        for one, other in zip([problems[number]] * solutions, problems[number : number + solutions], strict=True)
    ]


def settings(steps: int, batch: int, micro: int) -> TrainConfig:
    """What both sides must do."""
    return TrainConfig(
        learning_rate=RATE,
        epochs=steps,
        batch_size=batch,
        micro_batch=micro,
        warmup=0.0,
        schedule="constant",
        group_problems=True,
    )


def ours(some: list[Example], folder: Path, asked: TrainConfig) -> dict[str, list[float]]:
    """`tpt.train.fit`."""
    from tpt.train.fit import fit

    config = compose([])
    model = locate(config.model)
    records.write(folder / "examples.parquet", Example, some)
    clock = Clock()
    fit(model, folder / "examples.parquet", folder / "out", asked, 0, context_length(model, config.model), clock)
    return {"ended": clock.ended, "losses": [line["loss"] for line in files.read_jsonl(folder / "out/metrics.jsonl")]}


def theirs(some: list[Example], folder: Path, asked: TrainConfig, python: str) -> dict[str, list[float]]:
    """`train_trl.py` in TRL's environment."""
    from tpt.train.fit import resolve_precision

    lines = [json.dumps({"prompt_ids": one.prompt_ids, "completion_ids": one.completion_ids}) for one in some]
    (folder / "examples.jsonl").write_text("\n".join(lines), encoding="utf-8")
    script = Path(__file__).with_name("train_trl.py")
    words = [asked.epochs, asked.batch_size, asked.micro, RATE, resolve_precision(asked.precision)]
    paths = [locate(compose([]).model), folder / "examples.jsonl", folder / "trl.json"]
    subprocess.run([python, str(script), *map(str, paths), *map(str, words)], check=True, stdout=sys.stderr)
    given: dict[str, list[float]] = files.read_json(folder / "trl.json")
    return given


def compare(few_shot: int, solutions: int, mark: float, options: argparse.Namespace) -> Figure:
    """Time both sides in turn on examples of one kind."""
    some = examples(few_shot, options.examples, solutions)
    useful = sum(len(one.completion_ids) for one in some) * (options.steps - 1)
    asked = settings(options.steps, options.examples, options.micro)
    times: dict[str, Timed] = {"tpt": Timed([]), "trl": Timed([])}
    losses: dict[str, list[float]] = {}
    for turn in range(options.turns):
        for name, taken in times.items():
            with tempfile.TemporaryDirectory(prefix="tpt-train-") as folder:
                given = _in_a_process(name, few_shot, solutions, Path(folder), options)
            taken.seconds.append(given["ended"][-1] - given["ended"][0])
            losses[name] = given["losses"]
            print(f"turn {turn + 1}: {name} {useful / taken.seconds[-1]:.1f} useful tokens/s", flush=True)
    apart = max(abs(one - other) / other for one, other in zip(*losses.values(), strict=True))
    assert apart < CLOSE, losses
    prompts = statistics.mean(len(one.prompt_ids) for one in some)
    completions = statistics.mean(len(one.completion_ids) for one in some)
    return faster(
        f"train, {len(some)} examples of {prompts:.0f} + {completions:.0f} tokens, {solutions} a problem, "
        f"{asked.micro} at once",
        "TRL SFTTrainer",
        times.values(),
        (useful, "useful tokens"),
        mark,
        same=f"losses of {options.steps} steps at most {apart:.2%} apart",
    )


def _in_a_process(
    name: str, few_shot: int, solutions: int, folder: Path, options: argparse.Namespace
) -> dict[str, list[float]]:
    if name == "trl":
        asked = settings(options.steps, options.examples, options.micro)
        return theirs(examples(few_shot, options.examples, solutions), folder, asked, options.trl)
    command = [sys.executable, __file__, "--side", str(few_shot), str(solutions), "--out", str(folder / "tpt.json")]
    for key in ("examples", "steps", "micro"):
        command += [f"--{key}", str(getattr(options, key))]
    subprocess.run(command, check=True, stdout=sys.stderr)
    given: dict[str, list[float]] = files.read_json(folder / "tpt.json")
    return given


def main() -> None:
    """Run both kinds of prompts, or one turn of our side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trl", default=str(Path(__file__).parent / ".trl/bin/python"))
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--micro", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--side", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        some = examples(options.side[0], options.examples, options.side[1])
        given = ours(some, options.out.parent, settings(options.steps, options.examples, options.micro))
        files.write_json(options.out, given)
        return
    save("train", [compare(4, 1, 3.0, options), compare(0, 1, 1.5, options), compare(0, 4, 1.5, options)])


if __name__ == "__main__":
    main()
