"""The code on the pages about Python and plug-ins does what they say."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pages
import pytest
from pages import ROOT

from tpt.prune.modes import keeps
from tpt.records import Sample, Status, Verdict
from tpt.settings.compose import compose

LONG = "Because it is so, and since it is so, we know it. " * 5


def shown(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [content for language, content in pages.blocks(text) if language == "python"]


@pytest.mark.slow
def test_the_page_on_python_runs_from_top_to_bottom(tmp_path: Path, warm_imports: dict[str, str]) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(shown("python.md")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | warm_imports,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("7 of 7 stages done>")
    assert [line.partition(":")[0] for line in lines if line.startswith("round ")] == ["round 0", "round 1"]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    def write(place: int) -> Path:
        path = tmp_path / f"block_{place}.py"
        path.write_text(shown("plugins.md")[place], encoding="utf-8")
        return path

    yield write


def test_the_judge_of_two_rewards_gives_the_verdicts_that_the_page_says(
    written: Callable[[int], Path], tmp_path: Path
) -> None:
    rows = [{"question": f"What is {n} + {n}?", "answer": 2 * n} for n in range(10)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = ["task=qa", f"task.path={tmp_path / 'data.jsonl'}", "task.question=question", "task.gold=answer"]
    task = compose([*columns, f"task.judge=python:{written(0)}:reward", "sampler=transformers"]).task
    problem = next(iter(task.load("train")))
    texts = (f"It is {problem.gold}.", LONG + f"It is {problem.gold}.", "It is unknown.", " ")
    verdicts = list(task.verdicts((problem, Sample(problem.id, 0, [], [], text, "stop")) for text in texts))
    assert [one.status for one in verdicts] == [Status.CORRECT, Status.PARTIAL, Status.WRONG, Status.NO_ANSWER]
    for mode, kept in (("ground_truth", 1), ("soft_positive", 2)):
        keep = keeps(compose([f"prune={mode}", "sampler=transformers"]).prune)
        assert [keep(Sample(problem.id, 0, [], [], "", "stop"), one) for one in verdicts].count(True) == kept


def test_the_pruning_mode_that_is_shown_keeps_brief_solutions(written: Callable[[int], Path]) -> None:
    keep = keeps(compose([f"prune.mode=python:{written(1)}:brief", "sampler=transformers"]).prune)
    right = Verdict("p", 0, Status.CORRECT, Status.CORRECT, Status.CORRECT)
    assert keep(Sample("p", 0, [], [], "#### 4", "stop"), right)
    assert not keep(Sample("p", 0, [], [], LONG * 2, "stop"), right)
