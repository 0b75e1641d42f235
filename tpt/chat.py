"""Chat templates: which one a model's prompts are written in, and whether it takes them."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt.errors import ModelError, nearest
from tpt.settings.model import ModelConfig

if TYPE_CHECKING:
    from jinja2 import nodes
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]  # `role`: system, user or assistant; `content`

DATE = "26 Jul 2024"  # what Llama 3's templates write if no date is given
# What transformers gives to each template; of the special tokens those that there are.
GIVEN = {"messages", "add_generation_prompt", "tools", "documents", "strftime_now"}
GIVEN |= {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}
OPTIONAL = ("defined", "undefined", "default", "d")  # tests and filters by which a template does without a variable


def template_of(tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> str | None:
    """The chat template in which a model's prompts are written; None if they are plain text.

    Raises:
        ModelError: the file that `model.template_file` names cannot be read, or the tokenizer's template cannot be
            chosen among several.
    """
    if model.chat is False:
        return None
    if model.template_file:
        return read_file(model.template_file)
    try:
        return str(tokenizer.get_chat_template()) if tokenizer.chat_template else None
    except ValueError as error:
        raise unfit(tokenizer, model, f"cannot be chosen: {error}") from error


def read_file(path: str) -> str:
    """The text of a template of the user's own.

    Raises:
        ModelError: it cannot be read, or there is nothing in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ModelError(f"model.template_file={path} cannot be read: {why}", "name a Jinja file") from error
    if not text.strip():
        raise ModelError(f"model.template_file={path} is empty", "name a Jinja file that writes the messages")
    return text


def check(tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> None:
    """Check the settings of a model's chat template against the template.

    Raises:
        ModelError: there is no template; it does not read a variable that `model.template` sets; or a file of the
            user's own reads one to which nothing gives a value.
    """
    text = template_of(tokenizer, model)
    if text is None:
        for name, given in (("model.chat=true", model.chat), ("model.template has settings", model.template)):
            if given:
                raise ModelError(f"{name}, but {model.name} has no chat template", "give one: model.template_file=FILE")
        return
    read, optional = _variables(text, tokenizer, model)
    taken = {*inspect.signature(tokenizer.apply_chat_template).parameters, *GIVEN}
    settable = sorted(read - taken - set(tokenizer.special_tokens_map))
    for name in model.template:
        if name not in settable:
            raise ModelError(
                f"model.template sets {name}, a variable that the chat template of {model.name} does not read",
                nearest(name, settable) if settable else "it has no variables to set: leave model.template out",
            )
    unknown = sorted(read - optional - GIVEN - set(tokenizer.special_tokens_map) - set(model.template))
    if model.template_file and unknown:
        known = sorted({*GIVEN, *tokenizer.special_tokens_map})
        raise ModelError(
            f"model.template_file={model.template_file} reads {unknown[0]}, a variable to which nothing gives a value",
            f"{nearest(unknown[0], known)}; or give it a value: model.template.{unknown[0]}=VALUE",
        )


def _variables(text: str, tokenizer: "PreTrainedTokenizerBase", model: ModelConfig) -> tuple[set[str], set[str]]:
    """The variables that a template reads from outside, and those that it does without if they have no value."""
    from jinja2 import TemplateError, meta
    from transformers.utils.chat_template_utils import _compile_jinja_template

    try:
        environment = _compile_jinja_template(text).environment
        tree = environment.parse(text)
    except TemplateError as error:
        raise unfit(tokenizer, model, f"cannot be read: {error}") from error
    return meta.find_undeclared_variables(tree), _optional(tree)


def _optional(tree: "nodes.Template") -> set[str]:
    """The names that a template asks whether they are defined, or gives a default."""
    from jinja2 import nodes

    asked = [one for one in tree.find_all((nodes.Test, nodes.Filter)) if one.name in OPTIONAL]
    return {one.node.name for one in asked if isinstance(one.node, nodes.Name)}


def in_template(
    turns: list[Message], tokenizer: "PreTrainedTokenizerBase", model: ModelConfig, add_generation_prompt: bool
) -> str:
    """A chat as its model's template writes it.

    Args:
        add_generation_prompt: whether it ends where the assistant's answer begins.

    Raises:
        ModelError: the template refuses this chat, or leaves out part of it.
    """
    from jinja2 import TemplateError  # lazy for start-up: it takes 20 ms, and only encoding needs it

    own: dict[str, Any] = {"chat_template": read_file(model.template_file)} if model.template_file else {}
    try:
        # Some templates (Llama 3.2's) write today's date, but a problem must have the same prompt tomorrow.
        text = str(
            tokenizer.apply_chat_template(
                turns,
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
                strftime_now=lambda _: DATE,
                **own,
                **model.template,
            )
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise unfit(tokenizer, model, f"refuses this prompt: {str(error).strip() or type(error).__name__}") from error
    # Some templates of multimodal models ignore a message whose content is not a list of parts.
    seen = "".join(text.split())
    if any("".join(turn["content"].split()) not in seen for turn in turns):
        raise unfit(tokenizer, model, "leaves out a part of this prompt")
    return text


def unfit(tokenizer: "PreTrainedTokenizerBase", model: ModelConfig, problem: str) -> ModelError:
    """The error that says what is wrong with a chat template."""
    system = " after a system turn (model.system)" if model.system else ""
    return ModelError(
        f"the chat template {model.template_file or f'of {tokenizer.name_or_path}'} {problem}",
        f"prompts are user and assistant turns of plain text{system} (with task.few_shot=0, a single user turn); give "
        "a template that accepts those: model.template_file=FILE; or plain text: model.chat=false",
    )
