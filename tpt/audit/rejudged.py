"""A rejudgement as a person reads it, and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from tpt.audit.rejudge import Kept, Rejudgement, Verdicts
from tpt.audit.samples import in_words, name_of
from tpt.terminal import unfolded

LONGEST = 400  # characters of a text that is shown: its end, where the answer is


def shown(found: Rejudgement, command: str) -> list[Table | Text]:
    """The tables, the first changed verdicts, the sentences, and what to train again."""
    stay = Text("the verdicts, and with them the figures, stay as they are: only what is made of them changes")
    return [
        _verdicts(found.verdicts) if found.verdicts else stay,
        *_first(found),
        _kept(found.kept),
        *([_figures(found)] if found.figures else []),
        *_sentences(found),
        *_again(found, command),
    ]


def _verdicts(verdicts: list[Verdicts]) -> Table:
    grid = _table("verdicts that change", "stage", "samples", "strict", "lenient")
    for one in verdicts:
        cells = [one.why_not or "0"] * 2 if one.why_not else [_moves(one, reader) for reader in one.changes]
        grid.add_row(one.stage, f"{one.samples:,}", *cells)
    return grid


def _moves(one: Verdicts, reader: str) -> str:
    counts = one.changes[reader]
    moves = "; ".join(f"{count:,} {before} -> {after}" for (before, after), count in counts.most_common())
    return f"{counts.total():,}" + (f" ({moves})" if moves else "")


def _first(found: Rejudgement) -> Iterator[Text]:
    for one in found.first:
        text = one.text if len(one.text) <= LONGEST else f"... {one.text[-LONGEST:]}"
        yield Text.assemble((f"{one.stage}, {name_of(one.after)}", "bold"), f"\n{text}")
        yield Text(f"  before: {in_words(one.before)}\n  now:    {in_words(one.after)}\n")


def _kept(kept: list[Kept]) -> Table:
    grid = _table("examples that are kept", "round", "before", "now", "added", "removed")
    for one in kept:
        numbers = [one.before, one.after, one.added, one.removed]
        grid.add_row(str(one.round), *([f"{number:,}" for number in numbers] if not one.why_not else [one.why_not]))
    return grid


def _figures(found: Rejudgement) -> Table:
    grid = _table("figures, %, of the checkpoints as they are", "evaluation", "figure", "before", "now")
    for one in found.figures:
        grid.add_row(one.stage, one.name, one.before.in_percent(), one.after.in_percent())
    return grid


def _sentences(found: Rejudgement) -> Iterator[Text]:
    for one in found.sentences:
        if one.survives:
            yield Text(f"survives: {one.after}")
        else:
            yield Text.assemble(("CHANGES", "bold red"), f"  before: {one.before}\n         now:    {one.after}")


def _again(found: Rejudgement, command: str) -> Iterator[Text]:
    first = found.first_to_train
    if first is not None:
        yield Text("sentences and figures are of the checkpoints as they are, trained on what was kept until now")
    if any(one.why_not for one in found.kept):
        yield Text("not every round could be drawn again, so what must be trained again is not known for all")
    if first is None:
        yield Text("nothing must be trained again: each round keeps the same examples")
        yield Text(f"to record the verdicts and figures: {command}")
        return
    after = f", and from round {first + 1} on all else, whose samples its model drew" if len(found.kept) > first else ""
    yield Text(f"to be trained again: round {first}{after}\n{command}")


def _table(title: str, *columns: str) -> Table:
    grid = Table(title=unfolded(title), title_justify="left")
    for column in columns:
        grid.add_column(column)
    return grid


def record(found: Rejudgement, command: str) -> dict[str, Any]:
    """A rejudgement as JSON; `tpt rejudge --help` explains the keys."""
    verdicts = [
        {
            "stage": one.stage,
            "samples": one.samples,
            "why_not": one.why_not,
            "changes": {
                reader: [
                    {"before": before, "after": after, "count": count} for (before, after), count in counts.items()
                ]
                for reader, counts in one.changes.items()
            },
        }
        for one in found.verdicts
    ]
    return {
        "verdicts": verdicts,
        "first": [asdict(one) for one in found.first],
        "kept": [asdict(one) for one in found.kept],
        "figures": [asdict(one) for one in found.figures],
        "sentences": [asdict(one) for one in found.sentences],
        "first_to_train": found.first_to_train,
        "command": command,
    }
