"""The only place where text becomes tokens, both for thinking and for training."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import models
from tpt.errors import ModelError
from tpt.judge.thinking import is_tag
from tpt.records import Problem
from tpt.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]  # `role`: system, user or assistant; `content`

DATE = "26 Jul 2024"  # what Llama 3's templates write if no date is given


def render(problem: Problem, task: Task, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of the prompt for one problem."""
    return encode_prompt(messages(problem, task), tokenizer)


def messages(problem: Problem, task: Task) -> list[Message]:
    """The prompt for one problem as a chat.

    Worked examples are earlier turns. There is a system message only if the task has one, since some models (Gemma) do
    not support it.
    """
    system = task.system_turn(problem)
    turns: list[Message] = [{"role": "system", "content": system}] if system else []
    for question, solution in task.worked_examples():
        turns.append({"role": "user", "content": task.instruct(question)})
        turns.append({"role": "assistant", "content": solution})
    return [*turns, {"role": "user", "content": task.user_turn(problem)}]


def encode_prompt(turns: list[Message], tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of a chat, up to where the assistant's answer begins.

    Without a chat template, the turns become plain paragraphs.

    Raises:
        ModelError: the chat template refuses this chat, or leaves out part of it.
    """
    if tokenizer.chat_template:
        # The template writes the BOS token if the model needs one; encoding must not add a second one.
        text = _in_template(turns, tokenizer, add_generation_prompt=True)
        return list(tokenizer.encode(text, add_special_tokens=False))
    return _encode_beginning("\n\n".join(turn["content"] for turn in turns) + "\n\n", tokenizer)


def _encode_beginning(text: str, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of a text to be continued: with what the tokenizer puts before it (BOS), not after it (EOS)."""
    ids = list(tokenizer.encode(text))
    own = list(tokenizer.encode(text, add_special_tokens=False))
    begins = next((at for at in range(len(ids) - len(own) + 1) if ids[at : at + len(own)] == own), 0)
    return ids[: begins + len(own)]


def appended(tokenizer: "PreTrainedTokenizerBase") -> int:
    """How many tokens the tokenizer itself puts after a text, such as an end token."""
    return len(tokenizer.encode("a")) - len(_encode_beginning("a", tokenizer))


def decoder(tokenizer: "PreTrainedTokenizerBase") -> Callable[[list[int]], str]:
    """A function that decodes token ids, leaving out all special tokens except thinking tags.

    To some tokenizers thinking tags are special tokens; without them, thoughts would be read as part of the answer.
    """
    special = {one: token.content for one, token in tokenizer.added_tokens_decoder.items() if token.special}
    left_out = {one for one, content in special.items() if not is_tag(content)}

    def decode(ids: list[int]) -> str:
        shown = [one for one in ids if one not in left_out]
        return str(tokenizer.decode(shown, clean_up_tokenization_spaces=False))

    return decode


def encode_completion(text: str, tokenizer: "PreTrainedTokenizerBase", end_id: int) -> list[int]:
    """Token ids, including the end token, of a completion not sampled by this model (e.g. written by a human)."""
    return [*tokenizer.encode(text, add_special_tokens=False), end_id]


def end_ids(tokenizer: "PreTrainedTokenizerBase", model_dir: Path) -> list[int]:
    """The tokens that end a completion; the first one ends this model's chat turns.

    Raises:
        ModelError: neither the generation config, the tokenizer nor the config names one.
    """
    ids = _ids(models.read_json(model_dir / "generation_config.json").get("eos_token_id"))
    ids += _ids(tokenizer.eos_token_id)
    if not ids:
        config = models.read_json(model_dir / "config.json")
        ids = _ids(config.get("eos_token_id")) or _ids((config.get("text_config") or {}).get("eos_token_id"))
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise ModelError(
            f"the checkpoint {model_dir} names no token that ends a completion",
            "name it in the folder's generation_config.json: eos_token_id",
        )
    turn_end = _turn_end(tokenizer, ids)
    return [turn_end, *(one for one in ids if one != turn_end)]


def _ids(named: Any) -> list[int]:
    """Token ids as configs give them: one, several, or none."""
    return [] if named is None else [int(one) for one in named] if isinstance(named, list) else [int(named)]


def _turn_end(tokenizer: "PreTrainedTokenizerBase", ids: list[int]) -> int:
    """The first end token or special token that the chat template writes after an assistant's turn."""
    if not tokenizer.chat_template:
        return ids[0]
    answer = "Four."
    turns: list[Message] = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": answer}]
    after = _in_template(turns, tokenizer, add_generation_prompt=False).rpartition(answer)[2]
    # Some models' configs name only the end of a document, which never appears in chat turns.
    ends = {*ids, *(one for one, token in tokenizer.added_tokens_decoder.items() if token.special)}
    return next((one for one in tokenizer.encode(after, add_special_tokens=False) if one in ends), ids[0])


def _in_template(turns: list[Message], tokenizer: "PreTrainedTokenizerBase", add_generation_prompt: bool) -> str:
    from jinja2 import TemplateError  # lazy for start-up: it takes 20 ms, and only encoding needs it

    try:
        # Some templates (Llama 3.2's) write today's date, but a problem must have the same prompt tomorrow.
        text = str(
            tokenizer.apply_chat_template(
                turns, add_generation_prompt=add_generation_prompt, tokenize=False, strftime_now=lambda _: DATE
            )
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise _unfit(tokenizer, f"refuses this prompt: {str(error).strip() or type(error).__name__}") from error
    # Some templates of multimodal models ignore a message whose content is not a list of parts.
    seen = "".join(text.split())
    if any("".join(turn["content"].split()) not in seen for turn in turns):
        raise _unfit(tokenizer, "leaves out a part of this prompt")
    return text


def _unfit(tokenizer: "PreTrainedTokenizerBase", problem: str) -> ModelError:
    return ModelError(
        f"the chat template of {tokenizer.name_or_path} {problem}",
        "prompts are user and assistant turns of plain text, with a system turn only for task.system (with "
        "task.few_shot=0, a single user turn); use a copy of the model with a chat_template.jinja that accepts those",
    )
