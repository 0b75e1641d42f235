"""Loading a checkpoint as a language model, after checking that no tensor would be left at random values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import models
from tpt.errors import ModelError, said

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_model")
QUANTIZED = ("quantization_config", "compression_config")  # in config.json
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
)
NAMED = 3  # tensors that a message names


def load_causal_lm(folder: Path, **settings: Any) -> "PreTrainedModel":
    """Load a checkpoint as a language model; all of its weights come from the checkpoint's files.

    Args:
        settings: as for `from_pretrained`.

    Raises:
        ModelError: the folder lacks files or tensors, or a file is damaged.
        OSError, ValueError, KeyError: transformers cannot load it.
    """
    from transformers import AutoModelForCausalLM

    models.check_folder(folder)
    check_tensors(folder)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, **settings)
    return model


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """A checkpoint's tokenizer.

    Raises:
        ModelError: transformers cannot load it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds of errors about damaged files
        for name in TOKENIZER_FILES:
            models.read_json(folder / name)  # raises if this is the damaged one
        raise ModelError(
            f"the tokenizer in {folder} cannot be loaded: {said(error)}",
            "check the tokenizer's files in it; a newer model may need a newer transformers",
        ) from error
    return tokenizer


def check_tensors(folder: Path) -> None:
    """Check that a checkpoint contains every tensor of its model, in the right shape; reads only headers.

    transformers gives random values to tensors that it does not find, and goes on. Quantised checkpoints are not
    checked.

    Raises:
        ModelError: tensors are missing or have the wrong shape; names some of them and says how many there are.
    """
    if not quantization(folder):
        skeleton(folder)


def skeleton(folder: Path, tensors: Mapping[str, tuple[int, ...]] | None = None) -> "PreTrainedModel":
    """The model of a checkpoint on the meta device, as if it had been loaded; reads only headers.

    Args:
        tensors: names and shapes of the checkpoint's tensors, if they are not in its folder.

    Raises:
        ModelError: tensors are missing or have the wrong shape, or transformers does not know the language model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if tensors is None:
        tensors = {name: shape for path in models.weights(folder) for name, shape in models.tensors(path).items()}
    try:
        with torch.device("meta"):
            config = AutoConfig.from_pretrained(
                folder, trust_remote_code=False
            )  # False, so that it does not ask on the terminal
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]  # transformers gives no hints here
        model, missing, mismatched = _fill(model, tensors)
    except Exception as error:  # transformers raises many kinds of errors about unsuitable configs
        raise ModelError(
            f"transformers cannot load the model in {folder}: {said(error)}",
            "check its config.json; a newer model may need a newer transformers",
        ) from error
    if missing:
        raise ModelError(
            f"the checkpoint {folder} lacks {_listed(missing)}, which would be left at random values",
            _advice(tensors),
        )
    if mismatched:
        raise ModelError(
            f"the checkpoint {folder} has {_listed(mismatched)} in another shape than its config.json requires",
            "the weights do not belong to this config.json: take both from the same place",
        )
    return model


def _fill(
    model: "PreTrainedModel", tensors: Mapping[str, tuple[int, ...]]
) -> "tuple[PreTrainedModel, list[str], list[str]]":
    """Load tensors of these shapes into a model on the meta device; some are renamed, split or joined in the process.

    Returns:
        the loaded model, the names of the missing tensors, and those in another shape, with both shapes.
    """
    import torch

    kind: Any = type(model)
    with quiet():
        loaded, found = kind.from_pretrained(
            None,
            config=model.config,
            state_dict={name: torch.empty(shape, device="meta") for name, shape in tensors.items()},
            device_map="meta",
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    mismatched = [
        f"{name} ({list(stored)}, not {list(needed)})" for name, stored, needed in sorted(found["mismatched_keys"])
    ]
    return loaded, sorted(found["missing_keys"]), mismatched


def quantization(folder: Path) -> str:
    """How the weights of a checkpoint are quantised (`gptq`, `bitsandbytes`, ...); "" if they are not."""
    config = models.read_json(folder / "config.json")
    parts = [part for part in (config, config.get("text_config")) if isinstance(part, dict)]
    for how in (part[name] for part in parts for name in QUANTIZED if part.get(name)):
        return str(how.get("quant_method", "unknown") if isinstance(how, dict) else how)
    return ""


def _listed(names: list[str]) -> str:
    count = f"{len(names)} of its model's tensors: " if len(names) > 1 else "the tensor "
    return f"{count}{', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''}"


def _advice(stored: Mapping[str, Any]) -> str:
    """What to do about missing tensors, judging by the names of those that are stored."""
    for name in stored:
        for part in name.split(".")[:-1]:
            if part in WRAPPERS:
                return (
                    f"the names in its files contain a wrapper's `{part}.`, such as {name}: "
                    "save the model inside the wrapper with save_pretrained"
                )
    return "save the whole model, including its output head, with save_pretrained; or copy the folder again"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' own messages and progress bars off the terminal."""
    from transformers import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers gives no hints here
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # nor here
