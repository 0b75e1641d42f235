"""Puts the tables of an experiment that was run below its page, in the site's contents."""

from pathlib import PurePosixPath

from sphinx.application import Sphinx

CONTENTS = "\n\n```{toctree}\n:hidden:\n:glob:\n\nlaptop/**\n```\n"


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append a table of contents to the page of an experiment with results."""
    page = PurePosixPath(docname)
    if page.match("experiments/*/README") and (app.srcdir / page.parent / "laptop").is_dir():
        source[0] += CONTENTS


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("source-read", add_contents)
    return {"parallel_read_safe": True}
