"""All checks of a run, in the order in which they are reported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from tpt.audit import manifests, rounds, samples
from tpt.audit.finding import Finding
from tpt.audit.recorded import Recorded, Unchecked
from tpt.audit.tools import Tools
from tpt.errors import ConfigError, DataError, ModelError, SandboxError, TptError, said
from tpt.runs import table
from tpt.runs.stage import Stage, StageSpec
from tpt.terminal import unfolded

# These say that something is not here, not that a file is wrong.
ELSEWHERE = (ConfigError, DataError, ModelError, SandboxError)
LIMITS = (
    "that the samples come from these seeds and checkpoints: sampling them again takes the engine and its hardware",
    "that the training gives these weights: training again does",
)


@dataclass(frozen=True)
class Check:
    """One check of one kind of stage.

    Attributes:
        name: as it is reported.
        unit: what it counts.
        applies: to which stages.
        carry_out: compares, and counts in the finding.
    """

    name: str
    unit: str
    applies: Callable[[StageSpec], bool]
    carry_out: Callable[[Recorded, Stage, Finding, Tools], None]


def _counts(spec: StageSpec) -> bool:
    return spec.draws is not None or spec.trains or spec is table.JUDGE


CHECKS = (
    Check("settings", "settings and inputs", lambda _: True, manifests.settings),
    Check("digests", "outcomes", lambda _: True, manifests.digests),
    Check("base model", "checkpoint", lambda spec: spec is table.PREPARE, manifests.base_model),
    Check("counts", "counts", _counts, manifests.counts),
    Check("prompts", "prompts", lambda spec: spec.draws is not None, samples.prompts),
    Check("texts", "completions", lambda spec: spec.draws is not None, samples.texts),
    Check("verdicts", "verdicts", lambda spec: spec.draws is not None, samples.verdicts),
    Check("draw", "examples and counts", lambda spec: spec is table.PRUNE, rounds.draw),
    Check("figures", "figures", lambda spec: spec is table.EVALUATE, rounds.figures),
)


def verify(run: Recorded, tools: Tools) -> list[Finding]:
    """Check all that a run recorded against the files that it rests on, without a GPU; reads only."""
    stages = run.stages()
    found = [_progress_of(run, stage) for stage in stages if run.record(stage) is None]
    for check in CHECKS:
        for stage in stages:
            if run.record(stage) and check.applies(table.of(stage)):
                tools.tell(f"{check.name} of {stage}")
                found.append(_carried_out(check, run, stage, tools))
    found.append(manifests.books(run))
    if run.is_capsule():
        found.append(manifests.capsule(run))
    return found


def _progress_of(run: Recorded, stage: Stage) -> Finding:
    """A stage that has no manifest, or none that can be read."""
    found, damage = Finding("settings", str(stage), "settings and inputs"), run.damage(stage)
    if damage:
        found.compare(False, damage.message)
    else:
        found.why_not = "it is not done"
    return found


def _carried_out(check: Check, run: Recorded, stage: Stage, tools: Tools) -> Finding:
    found = Finding(check.name, str(stage), check.unit)
    try:
        check.carry_out(run, stage, found, tools)
    except Unchecked as why:
        found.why_not = str(why)
    except ELSEWHERE as error:
        found.why_not = error.message
    except TptError as error:
        found.compare(False, error.message)
    except (OSError, KeyError, TypeError, ValueError) as error:  # what a file holds that was changed by hand
        found.compare(False, f"cannot be read as what it should be: {type(error).__name__}: {said(error)}")
    return found


def record(run: Recorded, findings: list[Finding]) -> dict[str, Any]:
    """The findings as JSON; `tpt verify --help` explains the keys."""
    return {
        "run": run.name,
        "folder": str(run.root),
        "agrees": not any(one.differs for one in findings),
        "findings": [vars(one) for one in findings],
        "never_checked": list(LIMITS),
    }


def shown(run: Recorded, findings: list[Finding]) -> list[Table | Text]:
    """The findings for a terminal: a table of the checks, then what differs and what could not be checked."""
    grid = Table(title=unfolded(run.name), title_justify="left")
    grid.add_column("check")
    for column in ("checked", "agree", "differ", "stages not checked"):
        grid.add_column(column, justify="right")
    for name in dict.fromkeys(one.check for one in findings):
        these = [one for one in findings if one.check == name]
        checked, differ = sum(one.checked for one in these), sum(one.differs for one in these)
        skipped = sum(bool(one.why_not) for one in these)
        cells = [f"{checked:,} {these[0].unit}", f"{checked - differ:,}", f"{differ:,}", str(skipped or "")]
        grid.add_row(name, *cells, style="red" if differ else "")
    lines = [line for one in findings for line in _lines(one)]
    lines += _not_checked(findings)
    lines += [Text(f"never checked: {limit}") for limit in LIMITS]
    return [grid, *lines]


def _lines(one: Finding) -> list[Text]:
    where = f"{one.check} of {one.stage}"
    lines = [Text.assemble(("DIFFERS", "bold red"), f" {where}: {words}") for words in one.first]
    if one.differs > len(one.first):
        lines.append(Text(f"        and {one.differs - len(one.first):,} more"))
    if one.note:
        lines.append(Text(f"note: {where}: {one.note}"))
    return lines


def _not_checked(findings: list[Finding]) -> list[Text]:
    """A line for each check and each reason why it was not carried out."""
    stages: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        if one.why_not:
            stages.setdefault((one.check, one.why_not), []).append(one.stage)
    more = {key: f" and {len(these) - 1} more" if len(these) > 1 else "" for key, these in stages.items()}
    return [
        Text(f"not checked: {check} of {these[0]}{more[check, why]}: {why}") for (check, why), these in stages.items()
    ]
