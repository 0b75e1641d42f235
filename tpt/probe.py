"""What an environment has to sample with; `python -m tpt.probe` says it of the interpreter that runs it."""

import importlib
import importlib.metadata
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from tpt.errors import said

PROCESSES = ("tpt.stage", "tpt.think.stage", "tpt.evaluate.stage")  # what a process that samples imports at its start,
LATER = ("math_verify", "sacrebleu", "sympy", "torch", "transformers")  # and what it imports when it needs it

# What transformers and vLLM import beside torch, each with the errors that they expect, as torchcodec's without FFmpeg.
COMPANIONS: dict[str, tuple[type[Exception], ...]] = {
    "torchvision": (),
    "torchaudio": (),
    "torchcodec": (ImportError, RuntimeError),
}


class Found(TypedDict):
    """What an environment has.

    Attributes:
        vllm: whether vLLM is installed.
        missing: packages that sampling imports and that are not installed.
        clash: what is wrong with the packages that are; "" where nothing is, or where it was not looked for.
    """

    vllm: bool
    missing: list[str]
    clash: str


def look(thorough: bool) -> Found:
    """What this interpreter's environment has.

    Args:
        thorough: whether to look for packages that break others, which takes seconds.
    """
    missing = [name for name in LATER if find_spec(name) is None]
    for name in PROCESSES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing.append(str(error.name))
    return Found(
        vllm=has_vllm(), missing=sorted({*missing}), clash=clash() if thorough and "torch" not in missing else ""
    )


def has_vllm() -> bool:
    """Whether vLLM is installed; it is looked for and not imported, which takes seconds.

    A package of that name without its compiled part (a source checkout, a broken install) does not count.
    """
    spec = find_spec("vllm")
    folders = (spec.submodule_search_locations or []) if spec else []
    return any(list(Path(folder).glob("_C*.so")) for folder in folders)


def clash() -> str:
    """Which packages beside torch were built for another one, and what the first says; "": none was.

    transformers and vLLM import them where they are installed, and without them do all that is needed here. With one
    that does not load, all that either says is that it cannot import the class of the model.
    """
    found: dict[str, Exception] = {}
    for name, harmless in COMPANIONS.items():
        if find_spec(name) is None:
            continue
        try:
            importlib.import_module(name)
        except harmless:
            continue
        except Exception as error:  # a RuntimeError of torch's, an OSError of the loader, an ImportError
            found[name] = error
    if not found:
        return ""
    names = " and ".join(f"{name} {importlib.metadata.version(name)}" for name in found)
    verb = "does" if len(found) == 1 else "do"
    reason = said(next(iter(found.values())), 120)
    return f"{names} {verb} not work with torch {importlib.metadata.version('torch')} ({reason})"


if __name__ == "__main__":
    print(json.dumps(look(thorough="thorough" in sys.argv[1:])))
