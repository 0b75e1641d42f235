"""A setting that carries its own facts."""

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from tpt.errors import ConfigError
from tpt.setting import REQUIRED, Facts, check, check_all, facts_of, section, setting, walk


@dataclass
class Inner:
    """A group."""

    share: float = setting(0.5, "A share.", low=0, below=1)


@dataclass
class Outer:
    """A section."""

    name: str = setting(REQUIRED, "A name.", fits=re.compile("[a-z]+").fullmatch, words="small letters")
    sizes: list[int] = setting([1, 2], "Sizes.", low=1, length=2)
    more: dict[str, Any] = setting({}, "Anything.")
    most: int | None = setting(None, "The most.", above=0)
    inner: Inner = section(Inner, runtime=True)


@dataclass
class Other(Outer):
    """A section with another default, and a field without facts."""

    most: int | None = 7
    plain: float = 1.0


def test_omegaconf_takes_required_optional_nested_and_mutable_settings() -> None:
    made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Outer), {"name": "a", "inner": {"share": 0.25}}))
    assert made == Outer("a", [1, 2], {}, None, Inner(0.25))
    with pytest.raises(MissingMandatoryValue):
        OmegaConf.to_object(OmegaConf.structured(Outer))
    Outer("a").sizes.append(3)
    assert Outer("b").sizes == [1, 2]


def test_a_subclass_that_changes_a_default_keeps_the_facts() -> None:
    assert Other("a").most == 7
    assert facts_of(Other, "most") == facts_of(Outer, "most")
    with pytest.raises(ConfigError, match="most=0 is out of range; it must be more than 0"):
        check_all(Other("a", most=0))
    with pytest.raises(ConfigError, match="plain=nan is not a finite number"):
        check_all(Other("a", plain=float("nan")))


def test_a_walk_lists_defaults_of_a_class_and_values_of_an_object() -> None:
    assert [(one.key, one.value) for one in walk(Outer, "of.")][:2] == [("of.name", "???"), ("of.sizes", [1, 2])]
    found = {one.key: one for one in walk(Outer("a", inner=Inner(0.25)))}
    assert found["inner.share"].value == 0.25
    assert (found["inner.share"].runtime, found["name"].runtime) == (True, False)
    assert (found["most"].words, found["sizes"].words) == ("a whole number or null", "a list of whole numbers")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Outer("A"), "name=A is not allowed"),
        (Outer(""), "name= is not allowed"),
        (Outer("a", [1]), r"sizes=\[1\]: it must have 2 numbers"),
        (Outer("a", [1, 0]), r"sizes=\[1, 0\] is out of range; each must be at least 1"),
        (Outer("a", more={"b": [{"c": float("inf")}]}), "more.b.c=inf is not a finite number"),
        (Outer("a", more={"b": "NaN"}), "more.b=NaN is not a finite number"),
        (Outer("a", more={"b": b"x"}), "more.b=b'x' cannot be"),
        (Outer("a", most=2**63), "is too large"),
        (Outer("a", inner=Inner(1.0)), "inner.share=1.0 is out of range; it must be at least 0 and below 1"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(made: Outer, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_all(made)


@given(st.floats(), st.floats(-9, 9), st.floats(-9, 9))
def test_a_number_passes_if_and_only_if_it_is_within_the_bounds(value: float, one: float, other: float) -> None:
    facts = Facts(low=min(one, other), high=max(one, other))
    if min(one, other) <= value <= max(one, other):
        check("key", value, facts)
    else:
        with pytest.raises(ConfigError, match="key="):
            check("key", value, facts)


def test_the_helper_stands_on_the_ground() -> None:
    code = "import sys, tpt.setting; print(sorted(one for one in sys.modules if one.startswith('tpt')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['tpt', 'tpt.errors', 'tpt.setting']"
