"""What a user's overrides say: KEY=VALUE in Hydra's grammar; texts that it does not read are taken as written."""

import itertools
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, Quote, QuotedString
from hydra.errors import HydraException

from tpt.errors import ConfigError, said
from tpt.setting import Setting
from tpt.settings import names, own_configs

FORM = re.compile(r"(~|\+{0,2})([^=]*)(=?)(.*)", re.DOTALL)
PLAIN = re.compile(r"[A-Za-z0-9._-]+")  # as a value needs no quotes
QUOTED = re.compile(r"\s*(['\"]).*\1\s*", re.DOTALL)
GROUP = Setting(str)  # the value of a group is a name
MOST = 10_000  # points of a sweep, so that a range typed wrong does not fill the memory


@dataclass(frozen=True)
class Names:
    """The groups and settings that overrides may name.

    Attributes:
        config_dir: a folder of the user's own with further groups.
    """

    groups: Sequence[str]
    settings: Mapping[str, Setting]
    config_dir: Path | None = None

    @classmethod
    def of(cls, config_dir: Path | None = None) -> "Names":
        """Those there are now.

        Raises:
            ConfigError: the folder is none of configs.
        """
        own = own_configs.find(config_dir)
        return cls(names.groups(own), names.settings(), own)


@dataclass(frozen=True)
class Given:
    """One override, taken apart.

    Attributes:
        sign: "", "+" or "++".
        value: as it was written.
        setting: what is known of the key; of a group: that it is a name.
        group: the group it chooses from; "" where it sets a setting.
        parsed: the value as Hydra's grammar reads it; None where it does not, and the setting is a text.
    """

    sign: str
    key: str
    value: str
    setting: Setting
    group: str
    parsed: Override | None

    def __str__(self) -> str:
        return f"{self.key}={self.value}"

    @property
    def values(self) -> list[str]:
        """The values of a sweep as they were written, where commas separate texts that the grammar does not read."""
        return _split(self.value)

    @property
    def swept(self) -> bool:
        """Whether it stands for several values."""
        return self.parsed.is_sweep_override() if self.parsed else len(self.values) > 1

    @property
    def chosen(self) -> list[str]:
        """The names it chooses from its group."""
        value = self.parsed.value() if self.parsed else self.value.strip()
        return [str(one) for one in value] if isinstance(value, list) else [str(value)]

    def hydras(self) -> str:
        """The override as Hydra takes it, also where YAML files leave the setting to the dataclass's default."""
        sign = self.sign if self.group else "++"
        return f"{sign}{self.key}={quoted(self.value.strip()) if self._literal() else self.value}"

    def _literal(self) -> bool:
        """Whether the value is the text as it is written, whatever the grammar makes of it."""
        if self.parsed is None:
            return True
        value = self.parsed.value()
        if self.group:
            return value is None or isinstance(value, int | float)
        number = isinstance(value, int | float) and self.setting.path  # a folder may be called 1e-5
        return self.setting.text and (number or isinstance(value, list | dict))


def quoted(text: str, quote: Quote = Quote.single) -> str:
    """A text as a value that Hydra's grammar reads as just this text."""
    return QuotedString(text, quote).with_quotes()


def quoted_path(path: Path) -> str:
    """A path as the value of a setting that stands for just this path, dollar signs included."""
    return quoted(str(path).replace("$", "$$"))


def read(override: str, known: Names) -> Given:
    """Take an override apart.

    Raises:
        ConfigError: it is no override, it names nothing there is, or its value is not one of the setting's.
    """
    sign, key, equals, value = FORM.fullmatch(override).groups()  # type: ignore[union-attr]  # it takes any text
    if not key or not (equals or sign == "~"):
        raise ConfigError(f"'{override}' is not an override", "overrides are written KEY=VALUE")
    if re.match(r"hydra[./]", key):
        raise ConfigError(f"{key}: Hydra's own settings do nothing here", "--config-dir names a folder of your configs")
    name = key.partition("@")[0]
    group = name if name in known.groups else ""
    setting = GROUP if group else names.find(key, known.settings)
    if setting is None and key.startswith("task."):
        setting = Setting(object)  # the task says whether it has it
    if setting is None:
        known_names = {**known.settings, **dict.fromkeys(known.groups, GROUP)}
        raise ConfigError(f"unknown setting '{key}'", names.nearest_setting(key, known_names))
    if sign == "~":
        raise ConfigError(
            f"{override}: no setting can be taken out of a run",
            f"leave {key} out for its default, or give a value: {key}=VALUE",
        )
    return _checked(Given(sign, key, value, setting, group, _parsed(f"{sign}{key}={value}")))


def single(override: str, known: Names) -> Given:
    """Take an override apart that is to have one value.

    Raises:
        ConfigError: it is a sweep, or see `read`.
    """
    given = read(override, known)
    if not given.swept:
        return given
    hint = f"to run each of them: tpt run -m {shlex.quote(override)}"
    if given.setting.base is list:
        hint += f"; one list is written {_shown(given.key, f'[{given.value}]')}"
    elif given.setting.text and not given.group:
        hint += f"; as one text: {_shown(given.key, quoted(given.value, Quote.double))}"
    raise ConfigError(f"{override} stands for several values", hint)


def expand_sweep(overrides: Sequence[str], config_dir: Path | None = None) -> Iterator[list[str]]:
    """The points of a multirun: the product of every `key=a,b` in the overrides, in Hydra's own syntax.

    Raises:
        ConfigError: an override that cannot be read, or values that cannot be enumerated.
    """
    known = Names.of(config_dir)
    axes = [_axis(override, read(override, known), known) for override in overrides]
    if math.prod(map(len, axes)) > MOST:
        raise ConfigError(f"a sweep of more than {MOST:,} runs: {' '.join(overrides)}", "give fewer values")
    for point in itertools.product(*axes):
        yield list(point)


def _axis(override: str, given: Given, known: Names) -> list[str]:
    if not given.swept:
        return [override]
    start = f"{given.sign}{given.key}="
    form = given.parsed.value() if given.parsed else None
    if form is None or (given.setting.path and isinstance(form, ChoiceSweep) and form.simple_form):
        return [start + (value if _parsed(start + value) else quoted(value)) for value in given.values]
    values = list(itertools.islice(_enumerated(override, given, known), MOST + 1))
    if not values:
        hint = f"known: {', '.join(names.choices(given.group, known.config_dir))}" if given.group else ""
        raise ConfigError(f"{override} stands for no value at all", hint)
    return [start + value for value in values]


def _enumerated(override: str, given: Given, known: Names) -> Iterable[str]:
    assert given.parsed is not None
    value = given.parsed.value()
    if isinstance(value, Glob):
        if not given.group:
            raise ConfigError(f"{override}: glob() is for groups of configs", f"give values: {given.key}=A,B")
        found = value.filter(names.choices(given.group, known.config_dir))
        return [name if PLAIN.fullmatch(name) else quoted(name) for name in found]
    if given.parsed.is_interval_sweep():
        raise ConfigError(
            f"{override} leaves the values open, which needs an optimiser", f"give values: {given.key}=A,B"
        )
    return _strings(override, given.parsed)


def _strings(override: str, parsed: Override) -> Iterator[str]:
    try:
        yield from parsed.sweep_string_iterator()
    except (HydraException, ValueError, ArithmeticError) as error:
        raise ConfigError(f"{override}: {said(error)}") from error


def _checked(given: Given) -> Given:
    value = given.parsed.value() if given.parsed else given.value
    free = given.setting.text or given.setting.base in (object, Any) or "${" in given.value
    if given.parsed is None and not free:
        raise ConfigError(f"{given} cannot be read: {given.key} is {given.setting}", _as_list(given))
    if given.parsed is None and QUOTED.fullmatch(given.value):
        text = given.value.strip()[1:-1]
        raise ConfigError(f"{given}: the quotes do not match", f"write {_shown(given.key, quoted(text, Quote.double))}")
    if given.parsed and re.match(r"\s*shuffle\s*\(", given.value):
        raise ConfigError(
            f"{given}: with a new order each time, the same command would not continue what it began",
            "give the values in the order you want",
        )
    if given.group and isinstance(value, dict):
        raise ConfigError(f"{given} is not a name in {given.group}", f"set them one by one: {given.key}.KEY=VALUE")
    if given.group and value in ("", []):
        raise ConfigError(f"{given} names nothing", f"known: {', '.join(names.choices(given.group))}")
    return given


def _as_list(given: Given) -> str:
    """How to write a list of texts that the grammar does not read."""
    if given.setting.base is not list:
        return ""
    parts = _split(given.value.strip().removeprefix("[").removesuffix("]"))
    texts = ",".join(quoted(one, Quote.double) for one in parts)
    return f"put each text in quotes: {_shown(given.key, f'[{texts}]')}"


def _shown(key: str, value: str) -> str:
    """An override as it is typed in a shell."""
    return shlex.quote(f"{key}={value}")


def _parsed(override: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(override)
    except (HydraException, ValueError, RecursionError):  # numbers of thousands of digits, brackets without end
        return None


def _split(text: str) -> list[str]:
    """The parts of a text between its commas, those left alone that are in quotes or brackets."""
    parts, depth, quote = [""], 0, ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote and text[at - 1] != "\\" else quote
        elif sign in "'\"" and not parts[-1].strip():  # only what begins with a quote is quoted
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and depth <= 0:
            parts.append("")
            continue
        parts[-1] += sign
    return [part.strip() for part in parts]
