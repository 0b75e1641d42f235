"""What the loop itself costs: the share of a round that is neither sampling nor training, and the start of commands.

    python benchmarks/loop.py                # a round of the embedded default: takes minutes
    python benchmarks/loop.py --runs RUNS    # of the only run in a folder, made by `make run`

The wall time of a round is the time from the manifest of the baseline's evaluation to that of the round's evaluation.
The work in it is the engines' sampling and model loading, as they report it, and the training from its first step to
the written model. The rest is orchestration: processes, imports, prompts, judging, manifests, progress.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import Figure, Timed, alternate, save

from tpt.artefacts import Sampled, Trained
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

SHARE = 0.05  # of a round
SECONDS = 1.0  # of a command


def orchestration(root: Path) -> Figure:
    """The share of a round's wall time that is not work."""
    [folder] = find(root)
    run = Run.open(folder)
    ended = {stage: run.manifest_path(stage).stat().st_mtime for stage in run.stages()}
    wall = ended[Stage(1, "evaluate")] - ended[Stage(0, "evaluate")]
    work = {"train": _trained(run)}
    for name in ("think", "evaluate"):
        engines = run.results(Stage(1, name), Sampled)["engines"]
        work[name] = sum(one["start_seconds"] + one["sample_seconds"] for one in engines)
    rest = wall - sum(work.values())
    detail = ", ".join(f"{name} {seconds:.1f}" for name, seconds in work.items())
    return Figure(
        what="a round of the embedded default: orchestration in it",
        peer=f"{SHARE:.0%} of the round",
        ours=f"{rest:.1f} s of {wall:.1f} s ({rest / wall:.1%})",
        theirs=f"{SHARE * wall:.1f} s",
        ratio=SHARE * wall / rest,
        mark=1.0,
        same=f"work in seconds: {detail}",
    )


def _trained(run: Run) -> float:
    results = run.results(Stage(1, "train"), Trained)
    return results["label_tokens"] / results["tokens_per_second"]


def commands(root: Path, turns: int) -> list[Figure]:
    """Seconds that a command takes."""

    def call(*words: str) -> None:
        subprocess.run([sys.executable, "-P", "-m", "tpt.cli", *words], check=True, stdout=subprocess.DEVNULL)

    [folder] = find(root)
    times, _ = alternate({"--help": lambda: call("--help"), "status": lambda: call("status", str(folder))}, turns)
    return [_command(name, seconds) for name, seconds in times.items()]


def _command(name: str, times: Timed) -> Figure:
    return Figure(
        what=f"tpt {name}",
        peer=f"{SECONDS:g} s",
        ours=times.words(),
        theirs="",
        ratio=SECONDS / times.median,
        mark=1.0,
        same="torch is not imported (tests/test_work.py)",
    )


def main() -> None:
    """Measure a round, then the commands on its run folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--runs", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tpt-loop-") as folder:
        root = options.runs or Path(folder)
        if not options.runs:
            subprocess.run([sys.executable, "-P", "-m", "tpt.cli", "run", "rounds=1", f"run_root={root}"], check=True)
        save("loop", [orchestration(root), *commands(root, options.turns)])


if __name__ == "__main__":
    main()
