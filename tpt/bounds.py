"""What numbers a setting may have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpt.errors import ConfigError

LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Bounds:
    """Where a number, or each number of a list, must lie.

    Attributes:
        low, high: the least and the greatest allowed.
        above, below: the same, themselves not allowed.
        length: how many numbers a list must have; None: it is no list, or may have any number of them.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    length: int | None = None

    def hold(self, value: float) -> bool:
        """Whether a number is within the bounds; no bounds hold for what is not a number (nan)."""
        return (
            not math.isnan(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"between {self.low:g} and {self.high:g}"
        named = {"at least": self.low, "more than": self.above, "at most": self.high, "below": self.below}
        return " and ".join(f"{words} {end:g}" for words, end in named.items() if end is not None)


def check(key: str, value: Any, bounds: Bounds) -> None:
    """Check a number, or a list of them; None is always allowed.

    Raises:
        ConfigError: naming the setting, its value, and what it may be.
    """
    if isinstance(value, list):
        if bounds.length is not None and len(value) != bounds.length:
            raise ConfigError(f"{key}={value}: it must have {bounds.length} numbers, not {len(value)}")
        if not all(bounds.hold(one) for one in value):
            raise ConfigError(f"{key}={value} is out of range; each must be {bounds}")
    elif value is not None and not bounds.hold(value):
        raise ConfigError(f"{key}={value} is out of range; it must be {bounds}")


def check_finite(value: Any, key: str = "") -> None:
    """Check that no number in a nested value is infinite, not a number, or a whole one that 64 bits do not hold.

    Raises:
        ConfigError: naming the first such setting.
    """
    if isinstance(value, Mapping):
        for name, one in value.items():
            check_finite(one, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for one in value:
            check_finite(one, key)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key}={value} is not a finite number")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise ConfigError(f"{key}={value} is too large a number")
