"""What one check found about one stage."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tpt.nested import flatten

FIRST = 3  # differences that are named
EXACT = 1e-9  # relative; other versions of numpy may round the last digits differently


@dataclass
class Finding:
    """What one check found about one stage.

    Attributes:
        check: its name.
        stage: what it looked at, e.g. `round-01/think`.
        unit: what it counts.
        checked: how many it has compared.
        differs: how many of those do not agree with what is recorded.
        first: the first of these, in words.
        note: what else should be known, such as what part could not be checked.
        why_not: why nothing could be checked; "" if something was.
    """

    check: str
    stage: str
    unit: str
    checked: int = 0
    differs: int = 0
    first: list[str] = field(default_factory=list)
    note: str = ""
    why_not: str = ""

    def compare(self, same: bool, difference: str) -> None:
        """Count a comparison.

        Args:
            difference: what does not agree, in words.
        """
        self.checked += 1
        if not same:
            self.differs += 1
            if len(self.first) < FIRST:
                self.first.append(difference)

    def add_note(self, note: str) -> None:
        """Add to what else should be known."""
        self.note = "; ".join(filter(None, [self.note, note]))

    def compare_values(self, where: str, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Compare each value of nested dictionaries that both have.

        Args:
            where: what an error calls the recorded ones.
        """
        found = dict(flatten(recorded))
        for name, value in flatten(now):
            if name in found:
                self.compare(_equal(found[name], value), f"{where} says {name} {found[name]}, recomputed {value}")


def _equal(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=EXACT, abs_tol=EXACT) if numbers else bool(one == other)
