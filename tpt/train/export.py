"""Writing a trained model as an ordinary checkpoint that vLLM and transformers load."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

from tpt import chat, checkpoint, explain, files, models, prompt
from tpt.errors import ModelError, TptError, said
from tpt.settings.model import AS_IT_IS, ModelConfig

# The files of a checkpoint other than config, generation config and weights: of the tokenizer, of the processors of
# multimodal models, and a model's own code.
COMPANIONS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tekken.json",
    "*.model",
    "*.tiktoken",
    "*.jinja",
    "additional_chat_templates",
    "chat_template.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "audio_tokenizer_config.json",
    "*.py",
)
GENERATION = "generation_config.json"
TEMPLATE = "chat_template.jinja"


def export(
    model: PreTrainedModel,
    start: Path,
    out: Path,
    state: dict[str, Tensor] | None = None,
    prompted: ModelConfig = AS_IT_IS,
) -> None:
    """Write weights (safetensors, in the dtype they were trained in), config and companion files; all or nothing.

    Args:
        model: the trained model, adapters already merged.
        start: the checkpoint the training started from; its companion files are copied unchanged.
        out: the new checkpoint's folder.
        state: the weights, if they were gathered from several ranks.
        prompted: says how its prompts are written; a chat template of the user's own becomes the checkpoint's.

    Raises:
        DiskFull: the disk or the quota is full.
    """
    partial = out.with_name(f".{out.name}{files.TEMPORARY_SUFFIX}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with explain.named_when_full(out):
            _write(model, start, partial, state, prompted)
            files.complete(partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def rehearse(start: Path, out: Path, prompted: ModelConfig = AS_IT_IS) -> list[str]:
    """Export a checkpoint without its weights, then remove the export: a model that cannot be exported is not trained.

    Args:
        start: the checkpoint that the training starts from.
        out: the folder that will contain the trained checkpoint.
        prompted: see `export`.

    Returns:
        warnings: what the trained checkpoint will lack.
    Raises:
        ModelError: the checkpoint cannot be loaded completely, or cannot be exported.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    model = checkpoint.skeleton(start)
    removed_later = tempfile.TemporaryDirectory(files.TEMPORARY_SUFFIX, f".{out.name}.", out.parent)
    with removed_later as scratch, checkpoint.quiet():
        try:
            _write(model, start, Path(scratch), {}, prompted)
            checkpoint.load_tokenizer(Path(scratch))
            checkpoint.skeleton(Path(scratch), _stored_shapes(model))
        except Exception as error:  # transformers and the libraries it uses check many things while writing
            reason = error.message if isinstance(error, TptError) else said(error)
            raise ModelError(
                f"the model in {start} could be trained, but its export could not be used: {reason}",
                "correct the file in that folder that the message names; otherwise this version of transformers cannot "
                "write the model as it reads it: use another model or version",
            ) from error
    kind = models.read_json(start / "config.json").get("model_type")
    if kind == model.config.model_type:
        return []
    return [
        f"{start} is a multimodal checkpoint ({kind}) from which transformers loads only the language model "
        f"({type(model).__name__}): the trained models read and write only text"
    ]


def _stored_shapes(model: PreTrainedModel) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that saving a model writes; tied ones are written once."""
    own = {name: tensor for name, tensor in model.state_dict().items() if name not in model.all_tied_weights_keys}
    return {name: tuple(tensor.shape) for name, tensor in revert_weight_conversion(model, own).items()}


def _write(
    model: PreTrainedModel, start: Path, folder: Path, state: dict[str, Tensor] | None, prompted: ModelConfig
) -> None:
    # The base's generation config is kept below; transformers refuses to save many configs that it loads.
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]  # transformers gives no hints here
    model.save_pretrained(folder, state_dict=state)
    for pattern in COMPANIONS:
        for path in start.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, folder / path.name, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(path, folder / path.name)
    if prompted.template_file:
        files.write_text(folder / TEMPLATE, chat.read_file(prompted.template_file))
    files.write_json(folder / GENERATION, _generation(model, start, prompted))


def _generation(model: PreTrainedModel, start: Path, prompted: ModelConfig) -> dict[str, Any]:
    """The generation config of a trained model: its base's, with the end token used in training first."""
    found = models.read_json(start / GENERATION)
    if not found:
        derived = GenerationConfig.from_model_config(model.config)
        named = {name: getattr(derived, name) for name in ("bos_token_id", "pad_token_id")}
        found = {name: value for name, value in named.items() if value is not None}
    ends = prompt.end_ids(checkpoint.load_tokenizer(start), start, prompted)
    return found | {"eos_token_id": ends if len(ends) > 1 else ends[0]}
