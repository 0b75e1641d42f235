"""Where commands print: results to standard output; progress, warnings and errors to standard error."""

import io
import json
import os
import sys
import traceback
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from tpt.errors import TptError

CLOSED_PIPE = 141  # 128 + SIGPIPE, as a shell reports a program whose reader is gone
UNLIMITED = 1_000_000  # columns, if the output does not go to a terminal
HEADING_WIDTH = 80


class PlainConsole(Console):
    """A console that prints text as it is, square brackets and `:names:` included.

    Lines are folded only on a terminal. In a file or a pipe, a table is as wide as it needs to be, whatever COLUMNS
    says.
    """

    def __init__(self, stderr: bool = False, quiet: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8, or a file name that is not valid UTF-8, must not end a command.
            stream.reconfigure(errors="backslashreplace")
        super().__init__(
            stderr=stderr,
            quiet=quiet,
            soft_wrap=True,
            markup=False,
            emoji=False,
            highlight=False,
            width=None if stream.isatty() else UNLIMITED,
        )

    def heading(self, text: str) -> None:
        """Print a line that separates what follows from what came before."""
        dash = "-" if self.options.ascii_only else "─"
        self.print(Text(f"{dash * 2} {text} ".ljust(HEADING_WIDTH, dash), style="bold"))

    def on_broken_pipe(self) -> None:
        """Stop printing, because the reader of this stream is gone.

        Raises:
            SystemExit: the stream is standard output, so nobody is left to read the result.
        """
        self.quiet = True
        discard(self.file)
        if not self.stderr:
            raise SystemExit(CLOSED_PIPE)


class Terminal(PlainConsole):
    """Standard output, for results only, and standard error beside it.

    Args:
        quiet: print results and errors only.
        verbose: also print what stages log, and the traceback of an error.
        json: print results and errors as JSON, and nothing else.

    Attributes:
        progress: standard error, for progress and warnings.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False, json: bool = False) -> None:
        super().__init__()
        self.verbose, self.as_json = verbose, json
        self.progress = PlainConsole(stderr=True, quiet=quiet or json)
        self._errors = PlainConsole(stderr=True)

    def write(self, text: str) -> None:
        """Write a text to standard output unchanged; to a file or a pipe in UTF-8, whatever the locale."""
        try:
            if isinstance(self.file, io.TextIOWrapper) and not self.file.isatty():
                self.file.flush()
                self.file.buffer.write(text.encode(errors="backslashreplace"))
            else:
                self.file.write(text)
            self.file.flush()
        except BrokenPipeError:
            self.on_broken_pipe()

    def write_json(self, value: Any) -> None:
        """Write a value as JSON, in ASCII, so that it reads the same in every locale."""
        self.write(json.dumps(value, indent=2) + "\n")

    def warn(self, text: str, word: str = "warning") -> None:
        """Print something that the user should know about but that stops nothing."""
        self.progress.print(Text.assemble((word, "yellow"), " ", text))

    def failed(self, text: str) -> None:
        """Print that one part of the work failed, while the rest goes on."""
        if not self.as_json:
            self._errors.print(Text.assemble(("failed", "red"), " ", text))

    def error(self, error: TptError) -> None:
        """Print the error that ends a command: in words, or as an object with `error` and `hint`."""
        if self.verbose:
            self._errors.print("".join(traceback.format_exception(error)), end="")
        if self.as_json:
            self._errors.print(json.dumps({"error": error.message, "hint": error.hint}))
            return
        hint = f"\n  -> {error.hint}" if error.hint else ""
        self._errors.print(Text.assemble(("error", "bold red"), " ", error.message, hint))


def discard(stream: IO[str]) -> None:
    """Drop whatever is still written to a stream, so that the flush at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def unfolded(text: str) -> Text:
    """A table's title that is neither folded nor cut, however narrow the table is."""
    return Text(text, style="bold", no_wrap=True, overflow="ignore")
