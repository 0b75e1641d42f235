"""The settings of an analysis: `KEY=VALUE`, typed and checked. They are no part of the run that is analysed."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from tpt.errors import ConfigError, nearest
from tpt.setting import check_all, facts_of

Options = TypeVar("Options")


def read(kind: type[Options], given: Sequence[str]) -> Options:
    """The settings of an analysis.

    Args:
        kind: their dataclass, made of `tpt.setting.setting`.
        given: those that differ from the defaults, as `KEY=VALUE`.

    Raises:
        ConfigError: an unknown setting, or a value that is not allowed.
    """
    for one in given:
        key = one.partition("=")[0]
        known = [item.name for item in dataclasses.fields(kind)]  # type: ignore[arg-type]  # every `kind` is one
        if "=" not in one or key not in known:
            raise ConfigError(f"unknown setting of the analysis: {one}", nearest(key, known))
    try:
        found = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.from_dotlist(list(given))))
    except ConfigKeyError as error:
        raise ConfigError(f"unknown setting of the analysis: {error.full_key}") from error
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}", help_of(kind)) from error
    check_all(found)
    return found  # type: ignore[return-value]  # to_object of a structured node is its class


def help_of(kind: type) -> str:
    """What the settings mean, in a line each."""
    items = dataclasses.fields(kind)
    return "\n".join(f"{one.name}={one.default}: {facts_of(kind, one.name).help}" for one in items)
