"""The card of the exported examples."""

from huggingface_hub import DatasetCardData

from tpt import chat, markdown
from tpt.export.card import CITATION, PAPER, round_count
from tpt.export.examples import FILE, Written
from tpt.export.front_matter import TAGS
from tpt.export.origin import Base, hub_dataset
from tpt.runs.folder import Run

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))  # the hub's words


def data_card(run: Run, round: int, base: Base, written: Written, template: str | None) -> str:
    """The README.md of the exported examples.

    Args:
        template: the tokenizer's chat template, if it has one.
    """
    total = written.by_round.total()
    data = DatasetCardData(
        pretty_name=f"Examples of {run.config.model.name}, {round_count(round)} of Think, Prune, Train",
        task_categories=["text-generation"],
        size_categories=size(total),
        source_datasets=[hub_dataset(run)] if hub_dataset(run) else None,
        tags=TAGS,
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": FILE}]}],
    )
    task = run.config.task.name
    rounds = [{"round": str(one), "examples": f"{written.by_round[one]:,}"} for one in range(1, round + 1)]
    sections = [
        f"# {data.pretty_name}\n\n{total:,} worked solutions to training problems of `{task}`, kept by "
        f"`{run.config.prune.mode_name}` pruning in {round_count(round)} of "
        f"[Think, Prune, Train]({PAPER}). The model card beside says how, and what they did to the model.",
        f"## What a row is\n\n{_columns(written)}",
        f"{markdown.table(rounds, numbers=True)}\n{_trained_on(run)}",
        f"## Use\n\n{_use()}",
        f"## To the token\n\n{_tokens(written, template)}",
        f"## Licence\n\nThe questions are those of {questions(run)}. The solutions of source `self` were written by a "
        f"model. {base.license_words}",
        f"## Citation\n\n```bibtex\n{CITATION}\n```",
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _columns(written: Written) -> str:
    sources = ", ".join(f"`{name}` {count:,}" for name, count in written.sources.items())
    meanings = {
        "prompt": "the chat up to the answer: a list of `role` and `content`, worked examples as earlier turns",
        "completion": "the answer, one assistant's turn",
        "round": "the round that kept it",
        "problem_id": "the problem's id in the run",
        "source": f"where the answer is from ({sources}): `self` a model's own sample, `human` the data set, `run` "
        "another run",
    }
    rows = [{"column": f"`{name}`", "what it is": meaning} for name, meaning in meanings.items()]
    return markdown.table(rows).rstrip("\n")


def _trained_on(run: Run) -> str:
    if run.config.prune.accumulate:
        return "A round was trained on its own examples and those of the rounds before."
    return "Each round was trained on its own examples alone."


def _use() -> str:
    return (
        "```python\n"
        "from datasets import load_dataset\n"
        "from trl import SFTConfig, SFTTrainer\n\n"
        'examples = load_dataset("examples", split="train")  # this folder, or its id on the hub\n'
        'examples = examples.select_columns(["prompt", "completion"])\n'
        'SFTTrainer("model", args=SFTConfig(), train_dataset=examples).train()\n'
        "```\n\n"
        "TRL trains on the completions alone, as was done here."
    )


def _tokens(written: Written, template: str | None) -> str:
    total = written.by_round.total()
    said = [
        "The model's own chat template makes of every `prompt` the very tokens that were trained on."
        if template
        else "The model has no chat template: the prompts that were trained on are the turns' texts with an empty line "
        "after each.",
        f"{written.same_tokens:,} of {total:,} completions, tokenised again, give the tokens that were trained on; "
        "a model may have sampled another spelling of the same text.",
    ]
    if written.unended:
        said.append(
            f"{written.unended:,} completions were cut off and trained on without an end, which a template adds."
        )
    if template and "strftime_now" in template:
        said.append(f"The template writes today's date; the prompts that were trained on say {chat.DATE}.")
    return " ".join(said)


def size(rows: int) -> str:
    """How the hub says a number of rows."""
    return next((words for below, words in SIZES if rows < below), "n>1M")


def questions(run: Run) -> str:
    """Where the questions are from, and under which licence."""
    found = hub_dataset(run)
    return (
        f"[{found}](https://huggingface.co/datasets/{found}), under its licence"
        if found
        else f"the task `{run.config.task.name}`"
    )
