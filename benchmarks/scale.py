"""Pruning, evaluating and reporting many samples, against scripts that read all of them as JSON.

    python benchmarks/scale.py                                  # 100,000 and 1,000,000 samples
    python benchmarks/scale.py --samples 10000000 --no-peer     # the peer would need about 10 GB

Our side is the stages as `tpt run` starts them, and `tpt report`, each in a separate process on a run folder that
already has samples and verdicts. The peer is `scale_peer.py`. Each process's peak memory is as reported by the kernel.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from side_by_side import Figure, save

from tpt import files, records
from tpt.artefacts import Pruned
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose

EACH = 10  # samples per problem
SHARD = 1000  # problems
PROMPT, COMPLETION = 340, 90  # tokens: four worked examples and a question, a solution of a few lines
EXAMPLES = 2000
SOLVED = 0.4
MEMORY = 1.0  # the most GiB that any size may need
LAUNCHER = """
import os, sys, time
started = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - started, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
PEER = Path(__file__).with_name("scale_peer.py")


def make(root: Path, samples: int) -> Run:
    """Make a run folder with samples and verdicts for its first round and its evaluations."""
    problems = samples // EACH
    run = Run.create(
        compose(
            [
                "model=tiny-random",
                *("task=word_problems", f"task.train_size={problems}", f"task.test_size={problems}", "rounds=1"),
                f"prune.examples={EXAMPLES}",
                *(f"think.samples_per_problem={EACH}", f"evaluate.samples_per_problem={EACH}", "evaluate.ks=[1,4,10]"),
                *(f"sampler.shard_size={SHARD}", "tracker=none", f"run_root={root}"),
            ]
        )
    )
    known = list(compose(["task=word_problems", "task.train_size=200"]).task.load("train"))
    texts = [one.solution for one in known]
    records.write(run.problems_path("train"), Problem, _problems(known, problems))
    os.link(run.problems_path("train"), run.problems_path("test"))
    run.finish(Stage(0, "prepare"), {"train": problems, "test": problems, "model_dir": str(root)}, 0.0)
    think, prune = Stage(1, "think"), Stage(1, "prune")
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, problems, SHARD)):
        _shard(run, number, range(start, min(start + SHARD, problems)), texts, rng)
    run.finish(think, {"samples": samples}, 0.0)
    for round in (0, 1):
        folder = run.folder(Stage(round, "evaluate"))
        folder.mkdir(parents=True, exist_ok=True)
        for source in (run.folder(think), run.folder(prune)):
            for path in source.glob("*.parquet"):
                os.link(path, folder / path.name)
    return run


def _problems(known: list[Problem], count: int) -> Iterator[Problem]:
    for number in range(count):
        one = known[number % len(known)]
        yield Problem(f"word_problems/train/{number}", f"{one.question} ({number})", one.gold, one.solution)


def _shard(run: Run, number: int, problems: range, texts: list[str], rng: np.random.Generator) -> None:
    """Write one shard of samples and its verdicts column by column: only what is measured must be tpt's own code."""
    rows = len(problems) * EACH
    ids = np.repeat([f"word_problems/train/{one}" for one in problems], EACH)
    index = np.tile(np.arange(EACH), len(problems))
    prompt = np.repeat(rng.integers(0, 49_000, (len(problems), PROMPT), dtype=np.int32), EACH, axis=0)
    prompt[:, : PROMPT - 40] = np.arange(PROMPT - 40)
    lengths = rng.integers(COMPLETION - 30, COMPLETION + 30, rows)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    completion = rng.integers(0, 49_000, offsets[-1], dtype=np.int32)
    right = rng.random(rows) < SOLVED
    answers = np.where(right, 18, 18 + rng.integers(1, 9, rows)).astype(str)
    formed = rng.random(rows) < 0.95
    drawn = rng.integers(0, len(texts), rows)
    way = rng.integers(0, 6, rows)
    text = [f"{texts[one]}\n({how}) #### {answer}" for one, how, answer in zip(drawn, way, answers, strict=True)]
    finish = np.where(rng.random(rows) < 0.97, "stop", "length")
    lists = {
        "prompt_ids": pa.ListArray.from_arrays(np.arange(rows + 1) * PROMPT, pa.array(prompt.ravel())),
        "completion_ids": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(completion)),
    }
    _write(
        records.shard_path(run.folder(Stage(1, "think")), "samples", number),
        Sample,
        {"problem_id": ids, "index": index, **lists, "text": text, "finish_reason": finish},
    )
    lenient = np.where(right, str(Status.CORRECT), str(Status.WRONG))
    strict = np.where(formed, lenient, str(Status.NO_ANSWER))
    status = np.where(right & ~formed, str(Status.PARTIAL), strict)
    _write(
        records.shard_path(run.folder(Stage(1, "prune")), "verdicts", number),
        Verdict,
        {
            **{"problem_id": ids, "index": index, "status": status, "strict": strict, "lenient": lenient},
            **{"rule": np.where(formed, "hash_marks", "last_number"), "strict_answer": np.where(formed, answers, "")},
            **{"lenient_answer": answers, "passed": right.astype(int), "total": np.ones(rows, dtype=int)},
            **{"reason": [""] * rows, "kind": [""] * rows, "first_failed": np.zeros(rows, dtype=int)},
        },
    )


def _write(path: Path, kind: type, columns: dict[str, object]) -> None:
    schema = records.schema(kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    pq.write_table(table, path, compression="zstd", row_group_size=records.ROWS_PER_BATCH)


def as_json(run: Run, path: Path) -> None:
    """Write the same samples as a script would store them: one line of JSON each."""
    with path.open("w", encoding="utf-8") as file:
        samples = records.shards(run.folder(Stage(1, "think")), "samples")
        verdicts = records.shards(run.folder(Stage(1, "prune")), "verdicts")
        light = records.read(samples, Sample, records.LIGHT)
        for sample, verdict in zip(light, records.read(verdicts, Verdict), strict=True):
            line = {
                "problem_id": sample.problem_id,
                "completion": sample.text,
                "finish_reason": sample.finish_reason,
                "correct": verdict.strict is Status.CORRECT,
                "lenient": verdict.lenient is Status.CORRECT,
                "answer": verdict.lenient_answer,
            }
            file.write(json.dumps(line) + "\n")


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory, in GiB, of a process, which must succeed."""
    # A new process starts with its parent's memory as its peak, so a small process starts it.
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], stdout=subprocess.PIPE, check=True)
    seconds, kibibytes = map(float, done.stdout.split())
    return seconds, kibibytes / 2**20


def compare(samples: int, peer: bool, folder: Path) -> list[Figure]:
    """Measure all three at one size."""
    run = make(folder, samples)
    print(f"{samples:,} samples in {sum(1 for _ in run.root.rglob('*.parquet')):,} files", flush=True)
    ours, theirs = {}, {}
    stage = [sys.executable, "-P", "-m", "tpt.launch.worker", str(run.root)]
    ours["judge"] = measured([*stage, "round-01/judge"])
    ours["prune"] = measured([*stage, "round-01/prune"])
    run.finish(Stage(1, "train"), {"steps": 1, "first_loss": 1.0, "final_loss": 1.0}, 0.0)
    (run.folder(Stage(1, "train")) / "model").mkdir()
    measured([*stage, "round-00/evaluate"])
    ours["evaluate"] = measured([*stage, "round-01/evaluate"])
    ours["report"] = measured([sys.executable, "-P", "-m", "tpt.cli", "report", str(run.root)])
    if peer:
        lines = folder / "samples.jsonl"
        as_json(run, lines)
        for name in ("prune", "evaluate"):
            theirs[name] = measured(
                [sys.executable, str(PEER), name, str(lines), str(folder / f"{name}.json"), str(EXAMPLES)]
            )
    _check(run, folder, peer)
    return [_figure(name, samples, ours[name], theirs.get(name)) for name in ours]


def _check(run: Run, folder: Path, peer: bool) -> None:
    """Both sides must have done the same work."""
    kept = pq.read_metadata(run.folder(Stage(1, "prune")) / "examples.parquet").num_rows
    assert kept == min(EXAMPLES, run.results(Stage(1, "prune"), Pruned)["problems"]), kept
    if peer:
        assert len(json.loads((folder / "prune.json").read_text(encoding="utf-8"))) == kept
        metrics = run.evaluation(1)
        for name, (value, low, high) in files.read_json(folder / "evaluate.json").items():
            reader, k = name.split(" pass@")
            found = metrics["strict" if reader == "correct" else "lenient"]["pass@k"][k]
            pairs = [(found["value"], value, 1e-9), (found["low"], low, 4e-3), (found["high"], high, 4e-3)]
            assert all(abs(one - other) < most for one, other, most in pairs), (name, found, value, low, high)


def _figure(name: str, samples: int, ours: tuple[float, float], theirs: tuple[float, float] | None) -> Figure:
    said = [f"{one[0]:,.1f} s, {one[1]:.2f} GiB" for one in (ours, theirs) if one]
    print(f"{name:<9} ours {said[0]}" + (f", theirs {said[1]}" if theirs else ""), flush=True)
    return Figure(
        what=f"{name}, {samples:,} samples: peak memory",
        peer=f"{MEMORY:g} GiB" + ("; a script with json.loads" if theirs else ""),
        ours=said[0],
        theirs=said[1] if theirs else "",
        ratio=MEMORY / ours[1],
        mark=1.0,
        same="as many kept; pass@k equal, intervals within 0.002" if theirs else "as many kept",
    )


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    figures = []
    for samples in options.samples:
        folder = Path(tempfile.mkdtemp(prefix="tpt-scale-"))
        try:
            figures += compare(samples, not options.no_peer, folder)
        finally:
            shutil.rmtree(folder)
    save("scale" if not options.no_peer else f"scale-{options.samples[-1]}", figures)


if __name__ == "__main__":
    main()
