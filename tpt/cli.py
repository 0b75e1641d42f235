"""The `tpt` command line: its grammar, and how a command starts and ends.

What a command is and does is in `tpt.commands`. `tpt --help` and completion do no more than build the grammar, so what
only a command needs is imported once there is one to carry out.
"""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from tpt import __version__, commands, completion
from tpt.commands import VERBOSE_STAGES
from tpt.errors import TptError, nearest

HELP = """\
Results go to standard output; progress, warnings and errors go to standard error.
Exit codes: 0 success; 1 an error, or part of the work failed; 2 invalid command line; 130 interrupted (Ctrl-C,
SIGTERM); 141 the reader of standard output is gone (tpt status | head -1).
With --json, an error is an object with the keys error and hint, on standard error."""

BUG = """\
This is a bug in tpt: please report it with the lines above. Finished stages are kept, and the folder `logs` of the run
has the output of each stage."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    return grammar()[0]


def grammar() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The command line's grammar, and that of each command by its name."""
    top = argparse.ArgumentParser(
        prog="tpt",
        description="Think, Prune, Train: a language model improves on its own correct reasoning.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.set_defaults(json=False)
    _add_verbosity(top, VERBOSE_STAGES, False)
    top.add_argument("--version", action="version", version=f"tpt {__version__}")
    below = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in commands.load().items():
        own = below.add_parser(
            name,
            help=command.help,
            description=command.help,
            epilog=command.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_verbosity(own, command.verbose, argparse.SUPPRESS)  # no default: what precedes the command counts as well
        if command.json:
            own.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
        command.add(own)
        own.set_defaults(call=command.call)
    return top, below.choices


def _add_verbosity(parser: argparse.ArgumentParser, verbose: str, default: bool | str) -> None:
    quiet = "print only the result and errors"
    parser.add_argument("-q", "--quiet", action="store_true", default=default, help=quiet)
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help=verbose)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line; options and overrides may come in any order.

    Returns:
        the options, with the command's function as `call`.
    Raises:
        SystemExit: 0 after help or the version, 2 for an invalid command line.
    """
    top, by_name = grammar()
    if not words:
        top.print_help()
        raise SystemExit(0)
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in by_name:
        top.error(f"unknown command '{name}': {nearest(name, by_name)}")
    options, rest = top.parse_known_args(words)
    own = by_name[options.command]
    for word in rest:
        if word.startswith("-"):
            own.error(f"unknown option {word}: {nearest(word.partition('=')[0], own._option_string_actions)}")
        if "overrides" not in options:
            own.error(f"unexpected argument: {word}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    if options.quiet and options.verbose:
        own.error("--quiet and --verbose cannot be combined")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point.

    Returns:
        an exit code, as listed by `tpt --help`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if "_ARGCOMPLETE" in os.environ:
            completion.answer(parser())
        return _carry_out(_parsed(words))
    except KeyboardInterrupt:
        again = shlex.join(["tpt", *words])
        print(f"\nstopped: finished work is kept; to continue: {again}", file=sys.stderr)
        return 130
    except Exception:
        import traceback

        traceback.print_exc()
        print(BUG, file=sys.stderr)
        return 1


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    try:
        return parse(words)
    except SystemExit:
        try:
            sys.stdout.flush()  # the help may have lost its reader
        except BrokenPipeError:
            from tpt.terminal import CLOSED_PIPE, discard

            discard(sys.stdout)
            raise SystemExit(CLOSED_PIPE) from None
        raise


def _carry_out(options: argparse.Namespace) -> int:
    """Carry out a command; an error that the user can act on is printed in words."""
    from tpt import explain
    from tpt.terminal import Terminal

    _prepare_process(options.verbose)
    terminal = Terminal(options.quiet, options.verbose, options.json)
    call: Callable[[argparse.Namespace, Terminal], int] = options.call
    try:
        with explain.last_resort():
            return call(options, terminal)
    except TptError as error:
        terminal.error(error)
        return 1


def _prepare_process(verbose: bool) -> None:
    """Set up what holds for all of this process: its signals, its environment, and its log."""
    from tpt import caches, environment, logs

    signal.signal(signal.SIGTERM, _as_interrupt)
    os.environ.update(environment.variables())
    os.environ.update(caches.library_caches(caches.IN_COMMANDS))
    if verbose:
        logs.log_to_stderr()


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """A polite request to stop ends a command as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
