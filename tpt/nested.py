"""Nested dictionaries, as configs and manifests are."""

from collections.abc import Iterator, Mapping


def flatten(value: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The values of nested dictionaries that are no dictionaries themselves, each under its keys joined by dots."""
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield from flatten(one, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", one
