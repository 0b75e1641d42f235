"""What checks share: where tokenizers are, and whom to tell how far they are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import checkpoint
from tpt.audit.recorded import tokenizer_folder
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tell = Callable[[str], None]  # takes what is being done, in words


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass
class Tools:
    """What checks share.

    Attributes:
        given: a folder with the tokenizer, if it is not where the run found it.
        tell: takes what is being done.
    """

    given: Path | None = None
    tell: Tell = silent
    _loaded: "dict[Path, PreTrainedTokenizerBase]" = field(default_factory=dict)

    def folder(self, run: Run, stage: Stage) -> Path:
        """A folder with the tokenizer that a stage sampled with.

        Raises:
            Unchecked: it is not on this machine.
        """
        return tokenizer_folder(run, stage, self.given)

    def tokenizer(self, run: Run, stage: Stage) -> "PreTrainedTokenizerBase":
        """The tokenizer that a stage sampled with; each is loaded once.

        Raises:
            Unchecked: it is not on this machine.
            ModelError: it cannot be loaded.
        """
        folder = self.folder(run, stage)
        if folder not in self._loaded:
            self._loaded[folder] = checkpoint.load_tokenizer(folder)
        return self._loaded[folder]
