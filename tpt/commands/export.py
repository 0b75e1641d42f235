"""`tpt export`: a round's model and examples for use elsewhere."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.errors import ConfigError

if TYPE_CHECKING:
    from tpt.runs.folder import Run
    from tpt.terminal import Terminal

EPILOG = """\
DIR/model is a checkpoint with a model card; DIR/examples is a dataset of prompts and completions for TRL and others.
--as pairs adds DIR/pairs, a right and a wrong solution in each row (TRL's DPOTrainer); --as kto adds DIR/kto, solutions
with whether they are right (KTOTrainer).
--capsule writes the run without weights: config, versions, digests, samples, verdicts, figures, page and table; `tpt
verify` and `tpt report` read it on any machine.
Read and complete the cards; the same command with --push OWNER/NAME then uploads both as they are."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument(
        "--round",
        type=a_round,
        metavar="N",
        help="1, 2, ..., or best: by its figure on dev (default: the last trained one; after rounds=auto, the one that "
        "it takes)",
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=("sft", "pairs", "kto"),
        default="sft",
        help="what else is written of the solutions: pairs of right and wrong ones, or labels (default: sft, the "
        "examples alone)",
    )
    parser.add_argument(
        "--capsule",
        action="store_true",
        help="write the whole run without weights instead: for others to check and to report on",
    )
    parser.add_argument(
        "--no-texts", action="store_true", help="with --capsule: leave out what models wrote; nobody can judge it again"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="a new folder (default: RUN/export/round-N); with --capsule also a file NAME.tar.gz",
    )
    parser.add_argument("--force", action="store_true", help="replace an export that is already there")
    parser.add_argument("--push", metavar="OWNER/NAME", help="upload to the Hub as OWNER/NAME and OWNER/NAME-examples")
    parser.add_argument("--private", action="store_true", help="with --push: make the repositories private")


def a_round(text: str) -> int | str:
    """A number of a round, or `best`."""
    if text != "best" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is neither a number of a round nor best")
    return text if text == "best" else int(text)


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Write a trained round's model and examples to a folder; with `--push`, upload them."""
    from tpt.export import labelled, push
    from tpt.export.export import export
    from tpt.runs.folder import Run

    if options.private and not options.push:
        raise ConfigError("--private has no effect without an upload", "add --push OWNER/NAME")
    if options.push:
        push.check(options.push)  # before gigabytes are written
    run = Run.open(options.run)
    if options.capsule:
        return _capsule(run, options, terminal)
    if options.no_texts:
        raise ConfigError("--no-texts has no effect on a model and its examples", "add --capsule")
    written = export(run, options.round, options.out, options.force)
    for warning in written.warnings:
        terminal.warn(warning)
    kept = "" if written.new else "  (already there; --force replaces it)"
    terminal.print(f"model: {written.model}{kept}\nexamples: {written.examples}")
    further = {} if options.form == "sft" else {options.form: labelled.add(run, options.form, written.folder)}
    for form, folder in further.items():
        terminal.print(f"{form}: {folder}")
    if options.push:
        for address in push.push(written, options.push, options.private, further):
            terminal.print(f"uploaded: {address}")
    return 0


def _capsule(run: "Run", options: argparse.Namespace, terminal: "Terminal") -> int:
    from tpt.export import capsule

    if options.round is not None or options.push or options.form != "sft":
        raise ConfigError("--capsule takes the whole run", "leave out --round, --as and --push")
    written = capsule.write(run, options.out, not options.no_texts, options.force)
    for warning in written.warnings:
        terminal.warn(warning)
    terminal.print(f"capsule: {written.path}  ({written.files} files; its README.md says how to check it)")
    return 0


COMMAND = Command(
    help="Write a round's model and examples, with cards, to a folder of their own.",
    add=add,
    call=call,
    epilog=EPILOG,
)
