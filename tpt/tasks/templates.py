"""Prompts as Jinja templates over a row. A template is data from a user: it runs in Jinja's sandbox."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tpt.errors import ConfigError, said
from tpt.tasks.columns import BadRow, nearest_first

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

NAMES = "question, choices, lettered, row, and the columns"


class Prompt:
    """One template.

    Args:
        source: its text.
        key: the setting that it is the value of, for messages.
    """

    def __init__(self, source: str, key: str) -> None:
        self.source, self.key = source, key

    def check_syntax(self) -> None:
        """Check that it is a template.

        Raises:
            ConfigError: it is not.
        """
        _compiled(self.source, self.key)

    def check(self, known: dict[str, Any]) -> None:
        """Check that every name of the template is known.

        Raises:
            ConfigError: one is not; names those that are, the nearest first.
        """
        unknown = sorted(_compiled(self.source, self.key)[1] - known.keys())
        if unknown:
            raise ConfigError(
                f"{self.key} names {unknown[0]}, which no row has; there are: {nearest_first(unknown[0], known)}",
                f"a template may use {NAMES}; a column with spaces in its name is row['its name']",
            )

    def render(self, values: dict[str, Any]) -> str:
        """The text for one row.

        Raises:
            BadRow: the template cannot be filled from this row.
        """
        try:
            return _compiled(self.source, self.key)[0].render(values).strip()
        except Exception as error:  # a template may raise whatever its filters and operators do
            raise BadRow(f"does not fit {self.key}: {said(error)}") from error


@lru_cache(1)
def _environment() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined  # slow to import, and most tasks have no templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(64)
def _compiled(source: str, key: str) -> tuple["Template", set[str]]:
    from jinja2 import TemplateSyntaxError
    from jinja2.meta import find_undeclared_variables

    try:
        parsed = _environment().parse(source)
        return _environment().from_string(source), find_undeclared_variables(parsed) - set(_environment().globals)
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"{key}, line {error.lineno}: not a Jinja template ({said(error)})", "a column is written {{name}}"
        ) from error
