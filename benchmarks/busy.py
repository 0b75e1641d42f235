"""How much longer training and sampling take next to two programs that keep the cores busy, as a browser might.

    python benchmarks/busy.py                # some minutes, on a machine that does nothing else
    OMP_WAIT_POLICY=active python benchmarks/busy.py --sides train     # with another wait policy

The embedded model is trained and sampled from in processes with a stage's environment variables. Each does the same
work on an idle and on a busy machine, in turns, after a warm-up. With as many busy processes as cores the fair share is
half: twice the time. Threads that spin while they wait for each other take many times as long.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from side_by_side import Figure, Timed, save
from train import examples, ours, settings

from tpt import environment, files, prompt
from tpt.interrupt import die_with_parent
from tpt.launch.process import stage_environment
from tpt.models import context_length, locate
from tpt.settings.compose import compose
from tpt.settings.engine import resolve_engine
from tpt.settings.model import AS_IT_IS
from tpt.think.base import Draw, Prompt
from tpt.think.engines import make_sampler

LIMIT = 3.0  # times as long as when idle
BUSY = "from tpt.interrupt import die_with_parent; die_with_parent()\nwhile True: pass"
Work = Callable[[], float]  # returns the seconds it took


@contextlib.contextmanager
def training(options: argparse.Namespace) -> Iterator[Work]:
    """Fine-tuning: the time from the end of the first step to the end of the last."""
    some = examples(0, 8, 1)

    def work() -> float:
        with tempfile.TemporaryDirectory(prefix="tpt-busy-") as folder:
            ended = ours(some, Path(folder), settings(options.steps, len(some), len(some)))["ended"]
        return ended[-1] - ended[0]

    yield work


@contextlib.contextmanager
def sampling(options: argparse.Namespace) -> Iterator[Work]:
    """Sampling with the engine that a run would use: the time from the first prompt to the last completion."""
    from time import perf_counter

    from transformers import AutoTokenizer

    config = compose([f"sampler.engine={options.engine}", f"task.train_size={options.problems}"])
    folder = locate(config.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    draw = Draw(4, 0.8, 1.0, options.tokens, tuple(prompt.end_ids(tokenizer, folder, AS_IT_IS)))
    prompts = [
        Prompt(one.id, prompt.render(one, config.task, tokenizer, AS_IT_IS), 4 * number)
        for number, one in enumerate(config.task.load("train"))
    ]
    with make_sampler(config.sampler, config.model, folder, context_length(folder, config.model), 0) as sampler:

        def work() -> float:
            started = perf_counter()
            for _ in sampler.sample(iter(prompts), draw):
                pass
            return perf_counter() - started

        yield work


SIDES = {"train": training, "sample": sampling}


@contextlib.contextmanager
def company(count: int) -> Iterator[None]:
    """Busy processes during the block; they end with it, and with this process, however it ends."""
    busy = [subprocess.Popen([sys.executable, "-P", "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def measure(side: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """The seconds that a side's work takes, on an idle and on a busy machine."""
    found: dict[str, list[float]] = {"idle": [], "busy": []}
    with SIDES[side](options) as work:
        work()
        for turn in range(options.turns):
            found["idle"].append(work())
            with company(options.busy):
                found["busy"].append(work())
            print(
                f"{side}, turn {turn + 1}: {found['idle'][-1]:.2f} s idle, {found['busy'][-1]:.2f} s busy", flush=True
            )
    return found


def compare(side: str, options: argparse.Namespace) -> Figure:
    """Run a side in a separate process, with a stage's variables set before the threading library is loaded."""
    with tempfile.TemporaryDirectory(prefix="tpt-busy-") as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, "-P", __file__, *sys.argv[1:], "--side", side, "--out", str(out)]
        subprocess.run(command, check=True, env=stage_environment() | {"PYTHONPATH": str(Path(__file__).parent)})
        found = {name: Timed(seconds) for name, seconds in files.read_json(out).items()}
    slower = found["busy"].median / found["idle"].median
    return Figure(
        what=f"{side}, beside {options.busy} busy processes",
        peer=f"{LIMIT:g} times the time of the same work idle",
        ours=found["busy"].words(),
        theirs=found["idle"].words(),
        ratio=LIMIT / slower,
        mark=1.0,
        same=f"{slower:.2f} times as long; {options.busy} processes on {len(os.sched_getaffinity(0))} cores",
    )


def main() -> None:
    """Both sides, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--busy", type=int, default=2, help="processes beside")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4, help="of the training")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--dry", action="store_true", help="keep no figures")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        die_with_parent()
        files.write_json(options.out, measure(options.side, options))
        return
    figures = [compare(side, options) for side in options.sides]
    engine = resolve_engine(options.engine)
    waits = {name: value for name, value in os.environ.items() if name in environment.POLICIES}
    if not options.dry:
        save("busy", figures, engine=engine, threads=str(waits or environment.waiting()))


if __name__ == "__main__":
    main()
