"""Solutions judged per second: the sandboxed judge against a plain runner that starts a Python process per test.

    python benchmarks/programs.py                                   # generated puzzles
    python benchmarks/programs.py --task code_contests --problems FILE     # the problems' own labelled solutions

The plain runner has no sandbox at all: `subprocess.run([python, file], stdin=..., timeout=...)`, as in most evaluation
scripts, with the same number of threads. Both judge the same solutions with the same Python and must agree. Both sides
are timed as a whole, including the judge's probe and start. Turns alternate; the ratio is of their medians. There are
three settings: all tests are run, as soft-positive pruning needs, once with the puzzles' own tests and once with five
times as many; and tests are run only up to the first failure.
"""

import argparse
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from side_by_side import Figure, alternate, faster, save

from tpt.judge_files import programs
from tpt.judges.code.judge import Judge
from tpt.judges.code.output import same
from tpt.judges.code.spec import Spec

Job = tuple[Spec, str]
WRONG = "print(input())"  # passes few tests of few puzzles
MARK = 3.0
LONGER = 5  # times as many tests, by repeating them: contest problems have dozens


def sandboxed(jobs: list[Job], workers: int, partial: bool) -> list[int]:
    """Tests passed, according to the judge."""
    with Judge(workers=workers) as judge:
        results = judge.results(((spec, "python", source) for spec, source in jobs), partial)
        return [result.passed for result in results]


def plain(jobs: list[Job], workers: int, partial: bool) -> list[int]:
    """Tests passed, according to one process per test."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:

        def passed(number: int) -> int:
            spec, source = jobs[number]
            path = Path(folder) / f"{number}.py"
            path.write_text(source, encoding="utf-8")
            count = 0
            for stdin, expected in spec.tests:
                given = path.with_suffix(".in")
                given.write_text(stdin, encoding="utf-8")  # a file and not a pipe: some solutions use its size
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


def compare(jobs: list[Job], partial: bool, options: argparse.Namespace) -> Figure:
    """Time both sides in turn on the same programs."""
    times, verdicts = alternate(
        {
            "sandboxed": lambda: sandboxed(jobs, options.workers, partial),
            "plain": lambda: plain(jobs, options.workers, partial),
        },
        options.turns,
    )
    differ = sum(one != other for one, other in zip(verdicts["sandboxed"], verdicts["plain"], strict=True))
    assert not differ, f"the two disagree on {differ} solutions"
    tests = sum(spec.total for spec, _ in jobs) / len(jobs)
    return faster(
        f"{len(jobs)} programs, {tests:.1f} tests each, {'all run' if partial else 'up to the first that fails'}",
        "a Python process for each test, without a sandbox",
        times.values(),
        (len(jobs), "programs"),
        MARK,
        same=f"tests passed are equal for all, {options.workers} workers each",
    )


def main() -> None:
    """Time both, alternating, and print solutions per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="code_puzzles")
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    jobs = _jobs(options.task, options.problems)
    longer = [(replace(spec, tests=spec.tests * LONGER), source) for spec, source in jobs[: len(jobs) // LONGER]]
    save(
        "programs",
        [compare(jobs, True, options), compare(longer, True, options), compare(jobs, False, options)],
    )


def _jobs(name: str, problems: Path | None) -> list[Job]:
    """Python solutions, with labels if the problems have them; puzzles get a wrong one for each right one."""
    task = programs.task(name, problems, [])
    specs = [Spec.of(problem) for split in programs.splits(task) for problem in task.load(split)]
    known = [
        (spec, source)
        for spec in specs
        for language, source in [*spec.references, *spec.incorrect]
        if language == "python" and spec.tests
    ]
    return known if problems else [one for spec, source in known for one in ((spec, source), (spec, WRONG))]


if __name__ == "__main__":
    main()
