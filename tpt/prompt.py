"""The only place where text becomes tokens, for thinking and for training alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import files
from tpt.records import Problem
from tpt.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(problem: Problem, task: Task, tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids of the prompt for one problem.

    Worked examples are earlier turns of the chat. There is no system message: some models (gemma) have none. A
    tokenizer without a chat template gets the turns as plain paragraphs.
    """
    turns: list[dict[str, str]] = []
    for question, solution in task.shots():
        turns.append({"role": "user", "content": task.instruct(question)})
        turns.append({"role": "assistant", "content": solution})
    turns.append({"role": "user", "content": task.instruct(problem.question)})
    if tokenizer.chat_template:
        # The template writes the BOS token where the model wants one; encoding must not add a second.
        text = str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
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
    """Which of the end tokens the chat template writes after an assistant's turn."""
    if not tokenizer.chat_template or len(ids) == 1:
        return ids[0]
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    written = [one for one in tokenizer.encode(text, add_special_tokens=False) if one in ids]
    return written[-1] if written else ids[0]
