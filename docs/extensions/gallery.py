"""Writes a gallery of the tasks into `docs/qa.md` while the site is built: a problem, its prompt, a verdict.

Everything shown comes from the tasks themselves. Tasks whose data are on the hub are shown with a file of a few rows,
written for the tests, that has the same columns.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

from tpt import shown
from tpt.errors import SandboxError
from tpt.records import Sample
from tpt.settings import compose, names
from tpt.tasks import Task

PAGE = "docs/qa"
MARK = "<!-- gallery -->"
TINY = Path(__file__).resolve().parents[2] / "tests" / "tasks" / "data"
GENERATED = ("word_problems", "reasoning_gym", "spelling", "code_puzzles")
SMALL = ("task.train_size=3", "task.test_size=3")


def choices() -> list[str]:
    """The tasks whose problems are here: generated ones, and those with a tiny file."""
    tiny = {path.stem for path in TINY.glob("*.jsonl")}
    return [name for name in names.choices("task") if name in tiny or name in GENERATED]


def overrides(name: str) -> list[str]:
    """What shows a task without the hub."""
    if name in GENERATED:
        return [f"task={name}", *SMALL]
    path = [f"task.path={TINY / name}.jsonl", "task.train_size=null", "task.test_size=null"]
    task = (names.conf_dir() / "task" / f"{name}.yaml").read_text(encoding="utf-8")
    return [f"task={name}", *path, *(["task.test_path="] if "test_path" in task else [])]


def entry(name: str) -> str:
    """A section of the page: what the task is, one prompt, and a verdict."""
    task = compose.compose([*overrides(name), "sampler.engine=transformers"]).task
    lines = (names.conf_dir() / "task" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    said = next(line.removeprefix("#").strip() for line in lines if not line.startswith("# @package"))
    try:
        [one], _ = shown.first(task, "train", 1)
        verdict = _verdict(task, one)
    except SandboxError:
        return f"### `task={name}`\n\n{said}\n\nWhere this page was built, no sandbox could run its solutions.\n"
    shots = len(one.messages) // 2
    before = f", after {shots} worked example{'s' if shots > 1 else ''}" if shots else ""
    parts = [f"### `task={name}`", said, f"The prompt{before}:", _block(one.messages[-1]["content"])]
    return "\n\n".join([*parts, *verdict, ""])


def _verdict(task: Task, one: shown.Shown) -> list[str]:
    """The gold answer, and what the judge says of the data's own solution or, without one, of the answer alone."""
    gold = [f"The gold answer: `{one.gold}`"] if one.gold else []
    if one.verdict:
        return [*gold, "The data's own solution:", _block(one.solution), f"The judge reads from it: {one.read}."]
    if not one.gold:
        return ["The data has no solutions; programs are judged by its tests."]
    problem = next(iter(task.load("train")))
    text = f"#### {one.gold}"
    [verdict] = task.verdicts([(problem, Sample(problem.id, 0, [], [], text, "stop"))])
    return [*gold, f"The data has no solutions; of the completion `{text}` the judge says: {verdict.status}."]


def _block(text: str) -> str:
    """A block of code whose fence is longer than any in the text."""
    longest = max((len(found) for found in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the gallery into the page."""
    if docname == PAGE:
        source[0] = source[0].replace(MARK, "\n".join(map(entry, choices())))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
