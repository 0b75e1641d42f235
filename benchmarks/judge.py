"""Solutions judged per second: the sandboxed judge against a plain runner that starts one Python for each test.

    python benchmarks/judge.py                                   # generated puzzles
    python benchmarks/judge.py --task code_contests --problems FILE     # the problems' own labelled solutions

The plain runner has no sandbox at all: `subprocess.run([python, file], stdin=..., timeout=...)`, as most evaluation
scripts do, with as many threads. Both judge the same solutions with the same Python and must agree. What is timed is
the whole of each, the judge's probe and start among it. Rounds alternate; the ratio is of their medians.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tpt.judge.code import file
from tpt.judge.code.judge import Judge
from tpt.judge.code.output import same
from tpt.judge.code.spec import Spec

Job = tuple[Spec, str]
WRONG = "print(input())"  # passes few tests of few puzzles


def sandboxed(jobs: list[Job], workers: int, partial: bool) -> list[int]:
    """Tests passed, by the judge."""
    with Judge(workers=workers) as judge:
        results = judge.results(((spec, "python", source) for spec, source in jobs), partial)
        return [result.passed for result in results]


def plain(jobs: list[Job], workers: int, partial: bool) -> list[int]:
    """Tests passed, by one process for each test."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:

        def passed(number: int) -> int:
            spec, source = jobs[number]
            path = Path(folder) / f"{number}.py"
            path.write_text(source, encoding="utf-8")
            count = 0
            for stdin, expected in spec.tests:
                given = path.with_suffix(".in")
                given.write_text(stdin, encoding="utf-8")  # some solutions read it by its size: no pipe
                try:
                    with given.open("rb") as handle:
                        done = subprocess.run(
                            ["/usr/bin/python3", str(path)],
                            stdin=handle,
                            capture_output=True,
                            timeout=spec.seconds,
                            check=False,
                        )
                    right = not done.returncode and same(done.stdout, expected.encode(), spec.tolerance)
                except subprocess.TimeoutExpired:
                    right = False
                count += right
                if not (right or partial):
                    break
            return count

        return list(pool.map(passed, range(len(jobs))))


def main() -> None:
    """Time both, alternating, and print solutions per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="code_puzzles")
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partial", action="store_true", help="run all tests of every solution")
    options = parser.parse_args()
    jobs = _jobs(options.task, options.problems)
    runners: dict[str, Callable[[list[Job], int, bool], list[int]]] = {"sandboxed": sandboxed, "plain": plain}
    took: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(options.rounds):
        verdicts = {}
        for name, run in runners.items():
            started = time.perf_counter()
            verdicts[name] = run(jobs, options.workers, options.partial)
            took[name].append(time.perf_counter() - started)
            print(f"round {number + 1}: {name:<9} {len(jobs) / took[name][-1]:7.1f} solutions/s")
        differ = sum(one != other for one, other in zip(*verdicts.values(), strict=True))
        assert not differ, f"the two disagree on {differ} solutions"
    tests = sum(spec.total for spec, _ in jobs)
    speeds = {name: len(jobs) / statistics.median(seconds) for name, seconds in took.items()}
    print(
        f"{len(jobs)} solutions with {tests / len(jobs):.1f} tests each, {options.workers} threads, the same verdicts"
    )
    ratio = speeds["sandboxed"] / speeds["plain"]
    print(f"sandboxed {speeds['sandboxed']:.1f}/s, plain {speeds['plain']:.1f}/s: {ratio:.2f} times")


def _jobs(name: str, problems: Path | None) -> list[Job]:
    """Python solutions, with labels where the problems have them; puzzles get a wrong one beside each right one."""
    task = file.task(name, problems, [])
    specs = [Spec.of(problem) for split in file.splits(task) for problem in task.load(split)]
    known = [
        (spec, source)
        for spec in specs
        for language, source in [*spec.references, *spec.incorrect]
        if language == "python" and spec.tests
    ]
    return known if problems else [one for spec, source in known for one in ((spec, source), (spec, WRONG))]


if __name__ == "__main__":
    main()
