"""A setting that carries its own facts: what it means, what it may be, and whether results depend on it.

Sections of the config and tasks are dataclasses whose fields are made by `setting`. A subclass that gives a field only
another default keeps the facts of its parent's. `walk` lists the settings of such a class, or of an object with their
values, and `check` refuses a value that is not allowed.
"""

import copy
import dataclasses
import functools
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from tpt.errors import ConfigError, nearest

REQUIRED = MISSING  # as a default: the setting has none, and OmegaConf says so
LARGEST = 2**63 - 1  # what 64 bits hold
NOT_FINITE = ("nan", "inf", "infinity")  # how a text says such a number, where nothing makes a number of it
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", list: "a list", dict: "a map"}
PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}
PLAIN = (str, int, float, bool, list, dict)


@dataclass(frozen=True)
class Facts:
    """What is known of a setting besides its type and its default.

    Attributes:
        help: what it means, in a sentence for the user.
        low, high: the least and the greatest number allowed; in a list, for each number.
        above, below: the same, themselves not allowed.
        choices: the texts allowed; in a list, for each text.
        fits: whether a text is allowed, if a list of choices cannot say it; in a list, for each text. If there
            are choices too, what is allowed in addition.
        more: further choices, looked up for a text that is none of `choices`.
        words: what `fits` and `more` allow, in words.
        length: how many elements a list must have.
        least: how many elements a list, or characters a text, must have at least.
        unique: whether the elements of a list must differ.
        holds: the types of the values in a map.
        hint: what to do if a list or a text is shorter than `least`.
        runtime: it says how to compute and not what, so it takes no part in fingerprints.
        path: it is a path on this machine, in which `~` and `$NAME` are replaced; in fingerprints the content of
            what it names may stand for it.
        added: it was added after runs had been made, so it takes no part in fingerprints while it has its default.
        free: any text is allowed; `help` says why.
    """

    help: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    fits: Callable[[str], object] | None = None
    more: Callable[[], Iterable[str]] = tuple
    words: str = ""
    length: int | None = None
    least: int = 0
    unique: bool = False
    holds: tuple[type, ...] = PLAIN
    hint: str = ""
    runtime: bool = False
    path: bool = False
    added: bool = False
    free: bool = False

    def within(self, value: float) -> bool:
        """Whether a number is within the bounds; nan is within none."""
        return (
            not math.isnan(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    @property
    def bounds(self) -> str:
        """The bounds in words, as `at least 1`; "" if there are none."""
        if self.low is not None and self.high is not None:
            return f"between {self.low:g} and {self.high:g}"
        named = {"at least": self.low, "more than": self.above, "at most": self.high, "below": self.below}
        return " and ".join(f"{words} {end:g}" for words, end in named.items() if end is not None)

    @property
    def allowed(self) -> str:
        """What the value may be, in words; "" if its type says all."""
        found = [self.bounds, f"one of: {', '.join(self.choices)}" if self.choices else "", self.words]
        counts = f"{self.length} of them" if self.length is not None else f"at least {self.least}" if self.least else ""
        return "; ".join(filter(None, [*found, counts, "no two alike" if self.unique else ""]))


def setting(default: Any, help: str, **facts: Any) -> Any:
    """A dataclass field that carries its facts.

    Args:
        default: the default, which may be a list or a map; `REQUIRED` if there is none.
        help: what the setting means, in a sentence for the user.
        facts: see `Facts`.
    """
    metadata = {"facts": Facts(help, **facts)}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def section(kind: Callable[[], Any] | None = None, help: str = "", **facts: Any) -> Any:
    """A dataclass field that holds further settings.

    Args:
        kind: their dataclass, made with its defaults; None: there is no default.
        help: what they are for, if the docstring of `kind` does not say it.
        facts: see `Facts`; `runtime` holds for all of them.
    """
    metadata = {"facts": Facts(help, **facts)}
    return field(metadata=metadata) if kind is None else field(default_factory=kind, metadata=metadata)


def facts_of(kind: type, name: str) -> Facts:
    """The facts of a field: its own, else those that a parent gave it."""
    for one in kind.__mro__:
        item = vars(one).get("__dataclass_fields__", {}).get(name)
        if item is not None and "facts" in item.metadata:
            found: Facts = item.metadata["facts"]
            return found
    return Facts()


def default_of(item: "dataclasses.Field[Any]") -> Any:
    """The default of a field; `REQUIRED` if it has none."""
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return REQUIRED if item.default is dataclasses.MISSING else item.default


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        kind: its type.
        key: its dotted name.
        facts: what it says of itself.
        value: what it is; of a class, its default.
        holder: the dataclass that it is a field of.
        runtime: whether it, or a section around it, takes no part in fingerprints.
    """

    kind: Any
    key: str = ""
    facts: Facts = Facts()
    value: Any = REQUIRED
    holder: type | None = None
    runtime: bool = False

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types it may have; several if it may be null."""
        return get_args(self.kind) if get_origin(self.kind) in (Union, types.UnionType) else (self.kind,)

    @property
    def inner(self) -> Any:
        """Its type without null: `list[int]` of `list[int] | None`."""
        return next((one for one in self.kinds if one is not types.NoneType), Any)

    @property
    def base(self) -> Any:
        """Its type without null and without what a list holds: `list` of `list[int]`."""
        return get_origin(self.inner) or self.inner

    @property
    def text(self) -> bool:
        """Whether its value is a text."""
        return self.base is str

    @property
    def path(self) -> bool:
        """Whether its value is a path on this machine."""
        return self.facts.path

    @property
    def section(self) -> bool:
        """Whether it is a group of settings."""
        return dataclasses.is_dataclass(self.base)

    @property
    def words(self) -> str:
        """Its type in words, with what a list holds and whether it may be null."""
        held = PLURALS.get(get_args(self.inner)[0]) if self.base is list and get_args(self.inner) else None
        return f"{self}{f' of {held}' if held else ''}{' or null' if types.NoneType in self.kinds else ''}"

    def __str__(self) -> str:
        return "a group of settings" if self.section else WORDS.get(self.base, "a value")


def walk(holder: Any, prefix: str = "", runtime: bool = False) -> Iterator[Setting]:
    """The settings of a dataclass, in order, each group before what is in it.

    Args:
        holder: an object, for the values it has; or its class, for the defaults.
        prefix: what the dotted names begin with.
        runtime: whether all of them take no part in fingerprints.
    """
    kind = holder if isinstance(holder, type) else type(holder)
    hints = _hints(kind)
    for item in dataclasses.fields(kind):
        facts = facts_of(kind, item.name)
        value = default_of(item) if holder is kind else getattr(holder, item.name)
        one = Setting(hints[item.name], prefix + item.name, facts, value, kind, runtime or facts.runtime)
        yield one
        inside = one.base if holder is kind and one.section else value
        if dataclasses.is_dataclass(inside) and (holder is kind or not isinstance(inside, type)):
            yield from walk(inside, f"{one.key}.", one.runtime)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except Exception:  # of a user's task, whose types cannot be looked up: that is no reason to refuse the others
        return {item.name: item.type for item in dataclasses.fields(kind)}


def mistyped(key: str, value: Any, one: Setting) -> ConfigError:
    """The error that says a value is of the wrong type.

    Args:
        key: the setting's dotted name; of an element of a list, with its place, as `evaluate.ks[0]`.
        value: what was given.
        one: the setting.
    """
    wanted = Setting(get_args(one.kind)[0]) if "[" in key and get_args(one.kind) else one
    if value is None:
        return ConfigError(f"{key} is null, and must be {wanted}")
    quotes = wanted.text and isinstance(value, bool)
    hint = "put it in quotes; yes, no, on and off are true or false in YAML" if quotes else ""
    return ConfigError(f"{key}={value} is not {wanted}", hint)


def check_all(holder: Any, prefix: str = "") -> None:
    """Check every setting of an object, and of the sections in it.

    Raises:
        ConfigError: see `check`.
    """
    for one in walk(holder, prefix):
        if not dataclasses.is_dataclass(one.value):
            check(one.key, one.value, one.facts)


def check(key: str, value: Any, facts: Facts) -> None:
    """Check a value; null is always allowed, because types say where it is not.

    Raises:
        ConfigError: naming the setting, its value, what it may be, and the nearest choice.
    """
    if isinstance(value, Mapping):
        _check_map(key, value, facts.holds)
        return
    check_finite(key, value)
    if value is None:
        return
    if isinstance(value, list | str):
        _check_size(key, value, facts)
    for one in value if isinstance(value, list) else [value]:
        _check_one(key, value, one, facts)


def check_finite(key: str, value: Any) -> None:
    """Check that no number in a value is infinite, not a number, or a whole one that 64 bits do not hold.

    Raises:
        ConfigError: one is.
    """
    if isinstance(value, list | tuple):
        for at, one in enumerate(value):
            check_finite(f"{key}[{at}]", one)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key}={value} is not a finite number")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise ConfigError(f"{key}={value} is too large a number")


def _check_map(key: str, value: Mapping[Any, Any], holds: tuple[type, ...]) -> None:
    """Check a map that holds settings of any name: the types of its values, and every number at any depth."""
    for name, one in value.items():
        _check_held(f"{key}.{name}", one, holds)


def _check_held(key: str, value: Any, holds: tuple[type, ...]) -> None:
    if isinstance(value, str) and value.strip().lstrip("+-").lower() in NOT_FINITE:
        raise ConfigError(f"{key}={value} is not a finite number")
    check_finite(key, value)
    if not isinstance(value, holds) and not (value is None and holds is PLAIN):
        may = ", ".join(WORDS[one] for one in holds)
        raise ConfigError(f"{key}={'null' if value is None else value} cannot be; it must be {may}")
    if isinstance(value, Mapping):
        _check_map(key, value, PLAIN)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_held(key, one, PLAIN)


def _check_size(key: str, value: "list[Any] | str", facts: Facts) -> None:
    if facts.length is not None and len(value) != facts.length:
        raise ConfigError(f"{key}={value}: it must have {facts.length} numbers, not {len(value)}")
    if len(value) < facts.least:
        raise ConfigError(f"{key} is empty", facts.hint or f"give at least {facts.least}")
    if facts.unique:
        twice = [one for at, one in enumerate(value) if one in value[:at]]
        if twice:
            raise ConfigError(f"{key}={value}: {twice[0]} is there twice", "name it once")


def _check_added(key: str, value: Any, one: Any, facts: Facts) -> None:
    """Check a text that is none of the choices against what plug-ins add to them."""
    known = [*facts.choices, *facts.more()]
    if one not in known:
        others = f", or {facts.words}" if facts.fits else ""
        raise ConfigError(f"{key}={value} is not known; one of: {', '.join(known)}{others}", nearest(one, known))


def _check_one(key: str, value: Any, one: Any, facts: Facts) -> None:
    """Check a value, or one element of a list."""
    if isinstance(one, int | float) and not isinstance(one, bool):
        if not facts.within(one):
            must = "each must be" if isinstance(value, list) else "it must be"
            raise ConfigError(f"{key}={value} is out of range; {must} {facts.bounds}")
    elif facts.choices:
        if one not in facts.choices and not (facts.fits and isinstance(one, str) and facts.fits(one)):
            _check_added(key, value, one, facts)
    elif facts.fits is not None and not (isinstance(one, str) and facts.fits(one)):
        raise ConfigError(f"{key}={value} is not allowed: {facts.help}", facts.words)
