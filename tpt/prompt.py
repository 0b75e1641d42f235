"""The only place where text becomes tokens, for thinking and for training alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import files
from tpt.records import Problem
from tpt.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]  # `role`: user or assistant; `content`

DATE = "26 Jul 2024"  # what Llama 3's templates write where no date is given


def render(problem: Problem, task: Task, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of the prompt for one problem."""
    return encode_prompt(messages(problem, task), tokenizer)


def messages(problem: Problem, task: Task) -> list[Message]:
    """The prompt for one problem as a chat.

    Worked examples are earlier turns. There is no system message: some models (gemma) have none.
    """
    turns: list[Message] = []
    for question, solution in task.shots():
        turns.append({"role": "user", "content": task.instruct(question)})
        turns.append({"role": "assistant", "content": solution})
    return [*turns, {"role": "user", "content": task.instruct(problem.question)}]


def encode_prompt(turns: list[Message], tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of a chat, up to where the assistant's answer begins.

    A tokenizer without a chat template gets the turns as plain paragraphs.
    """
    if tokenizer.chat_template:
        # The template writes the BOS token where the model wants one; encoding must not add a second.
        text = _in_template(turns, tokenizer, add_generation_prompt=True)
        return list(tokenizer.encode(text, add_special_tokens=False))
    return list(tokenizer.encode("\n\n".join(turn["content"] for turn in turns) + "\n\n"))


def encode_completion(text: str, tokenizer: "PreTrainedTokenizerBase", end_id: int) -> list[int]:
    """Token ids of a completion that no model of ours sampled (a human's, another tokenizer's), end token included."""
    return [*tokenizer.encode(text, add_special_tokens=False), end_id]


def end_ids(tokenizer: "PreTrainedTokenizerBase", model_dir: Path) -> list[int]:
    """The tokens that end a completion; the first is the one that this model's chat turns end with.

    Raises:
        ValueError: neither the generation config nor the tokenizer names one.
    """
    path = model_dir / "generation_config.json"
    named = files.read_json(path).get("eos_token_id") if path.exists() else None
    ids: list[int] = [] if named is None else list(named) if isinstance(named, Sequence) else [named]
    if tokenizer.eos_token_id is not None:
        ids.append(int(tokenizer.eos_token_id))
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise ValueError(f"{model_dir} names no token that ends a completion")
    turn_end = _turn_end(tokenizer, ids)
    return [turn_end, *(one for one in ids if one != turn_end)]


def _turn_end(tokenizer: "PreTrainedTokenizerBase", ids: list[int]) -> int:
    """The first end token, or else special token, that the chat template writes after an assistant's turn."""
    if not tokenizer.chat_template:
        return ids[0]
    answer = "Four."
    turns: list[Message] = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": answer}]
    after = _in_template(turns, tokenizer, add_generation_prompt=False).rpartition(answer)[2]
    # Some models' configs name only the end of a document, which their chat turns never reach.
    ends = {*ids, *(one for one, token in tokenizer.added_tokens_decoder.items() if token.special)}
    return next((one for one in tokenizer.encode(after, add_special_tokens=False) if one in ends), ids[0])


def _in_template(turns: list[Message], tokenizer: "PreTrainedTokenizerBase", add_generation_prompt: bool) -> str:
    # Some templates (Llama 3.2's) write today's date: the same problem must have the same prompt tomorrow.
    return str(
        tokenizer.apply_chat_template(
            turns, add_generation_prompt=add_generation_prompt, tokenize=False, strftime_now=lambda _: DATE
        )
    )
