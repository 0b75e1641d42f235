"""What a Python environment offers for sampling; `python -m tpt.probe` reports on its own interpreter."""

import importlib
import importlib.metadata
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from tpt import plugins
from tpt.errors import said

# What a sampling process imports at its start, and what it imports when needed.
PROCESSES = ("tpt.launch.worker", "tpt.stages.think", "tpt.stages.evaluate")
LATER = ("math_verify", "sacrebleu", "sympy", "torch", "transformers")

# What transformers and vLLM import next to torch, with the errors they tolerate, such as torchcodec's without FFmpeg.
COMPANIONS: dict[str, tuple[type[Exception], ...]] = {
    "torchvision": (),
    "torchaudio": (),
    "torchcodec": (ImportError, RuntimeError),
}


class Found(TypedDict):
    """What an environment offers.

    Attributes:
        vllm: whether vLLM is installed.
        plugins: the names that installed packages add, by the group of their entry points.
        missing: packages that sampling imports but that are not installed.
        clash: what is wrong with the installed packages; "" if nothing is, or if that was not checked.
    """

    vllm: bool
    plugins: dict[str, list[str]]
    missing: list[str]
    clash: str


def look(thorough: bool) -> Found:
    """What this interpreter's environment offers.

    Args:
        thorough: whether to check for packages that break others, which takes seconds.
    """
    missing = [name for name in LATER if find_spec(name) is None]
    for name in PROCESSES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing.append(str(error.name))
    return Found(
        vllm=has_vllm(),
        plugins={group: plugins.names(group) for group in plugins.WORDS},
        missing=sorted({*missing}),
        clash=clash() if thorough and "torch" not in missing else "",
    )


def has_vllm() -> bool:
    """Whether vLLM is installed; does not import it, which takes seconds.

    A package of that name without its compiled part (a source checkout, a broken install) does not count.
    """
    spec = find_spec("vllm")
    folders = (spec.submodule_search_locations or []) if spec else []
    return any(list(Path(folder).glob("_C*.so")) for folder in folders)


def clash() -> str:
    """Which packages were built for another version of torch, and the first one's error; "" if none was.

    transformers and vLLM import them if they are installed, and do everything needed here without them. If one does not
    load, either only reports that it cannot import the model's class.
    """
    found: dict[str, Exception] = {}
    for name, harmless in COMPANIONS.items():
        if find_spec(name) is None:
            continue
        try:
            importlib.import_module(name)
        except harmless:
            continue
        except Exception as error:  # a RuntimeError from torch, an OSError from the loader, an ImportError
            found[name] = error
    if not found:
        return ""
    names = " and ".join(f"{name} {importlib.metadata.version(name)}" for name in found)
    verb = "does" if len(found) == 1 else "do"
    reason = said(next(iter(found.values())), 120)
    return f"{names} {verb} not work with torch {importlib.metadata.version('torch')} ({reason})"


if __name__ == "__main__":
    print(json.dumps(look(thorough="thorough" in sys.argv[1:])))
