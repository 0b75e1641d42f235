"""From the nodes of a config to dataclasses, or what is wrong with a value's type, in words."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from tpt.errors import ConfigError
from tpt.setting import Setting, mistyped
from tpt.settings import names

Section = TypeVar("Section")


def typed(name: str, kind: type[Section], node: Any, known: Mapping[str, Setting]) -> Section:
    """The section that a config node describes.

    Args:
        name: what its settings' dotted names begin with.
        node: the node; an empty map for the defaults.
        known: every setting by its dotted name.

    Raises:
        ConfigError: an unknown setting, a missing value, or one of the wrong type.
    """
    _check_form(name, node, known)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(kind), node)
        return OmegaConf.to_object(merged)  # type: ignore[return-value]  # to_object of a structured node is its class
    except ConfigKeyError as error:
        key = f"{name}.{error.full_key}"
        raise ConfigError(f"unknown setting '{key}'", names.nearest_setting(key, known)) from error
    except MissingMandatoryValue as error:
        raise ConfigError(f"{name}.{error.full_key} has no value", f"see conf/{name}/ for complete examples") from error
    except OmegaConfBaseException as error:
        raise _mistyped(f"{name}.{error.full_key}", OmegaConf.select(node, str(error.full_key)), known) from error


def _check_form(key: str, node: Any, known: Mapping[str, Setting]) -> None:
    """Check that groups of settings, lists and texts are where they should be, which OmegaConf does in other words."""
    setting = known.get(key)
    if setting is None:
        return
    if setting.section and not (isinstance(node, DictConfig) or node is None or node == {}):
        inner = next((one for one in known if one.startswith(f"{key}.")), key)
        raise ConfigError(f"{key}={node} cannot be: {key} is a group of settings", f"set one of them: {inner}=...")
    if setting.base is list and not (isinstance(node, ListConfig) or node is None):
        raise ConfigError(f"{key}={node} is not a list", f"write {key}=[{node}]")
    if setting.text and isinstance(node, bool | ListConfig | DictConfig):
        raise _mistyped(key, node, known)
    if setting.section and isinstance(node, DictConfig):
        for item in dataclasses.fields(setting.base):
            if item.name in node:  # which a value that is missing is not
                _check_form(f"{key}.{item.name}", node[item.name], known)


def _mistyped(key: str, value: Any, known: Mapping[str, Setting]) -> ConfigError:
    return mistyped(key, value, names.find(key.partition("[")[0], known) or Setting(object))
