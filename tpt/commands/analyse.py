"""`tpt analyse`: analyses of one run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.analysis import ANALYSES
from tpt.commands import Command

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
diversity: do a problem's samples become more alike, and from which k on does that cost pass@k?
error_locality: at which step of a wrong solution does its chance of success fall? It samples continuations for that.
gain: how much of a gain is fewer samples cut off, better form, other lengths; which problems were won and lost?
gradient_equivalence: where does training on correct samples depart from the policy gradient (paper, 2.1)?
mixing: how likely are human solutions under the model beside its own, and do they pull its weights the same way?
Each compares the base model with the rounds after it, and writes NAME.md, NAME.json and figures."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", choices=ANALYSES, metavar="NAME", help=", ".join(ANALYSES))
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings of the analysis, e.g. solutions=20")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: RUN/analysis)")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Print the tables and sentences of an analysis, and write them as a page beside its figures."""
    from tpt import files
    from tpt.runs.folder import Run

    run = Run.open(options.run)
    folder = options.out or run.analysis_dir
    outcome = ANALYSES[options.name](run, folder, run.config.seed, options.settings, terminal.progress)
    page = folder / f"{options.name}.md"
    title = options.name.replace("_", " ").capitalize()
    files.write_text(page, outcome.markdown(f"{title} of {run.name}"))
    for sheet in outcome.sheets:
        terminal.print(sheet.rich())
    pages = (f"page: {one}" for one in (page, *outcome.pages))
    for line in (*outcome.sentences, *pages, *(f"figure: {figure}" for figure in outcome.figures)):
        terminal.print(line)
    return 0


COMMAND = Command(
    help="Analyse one run: diversity, location of errors, parts of the gain, gradients.",
    add=add,
    call=call,
    epilog=EPILOG,
)
