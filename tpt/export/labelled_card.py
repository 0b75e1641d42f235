"""The card of exported right and wrong solutions."""

from collections import Counter

from huggingface_hub import DatasetCardData

from tpt import markdown
from tpt.export.card import CITATION, PAPER, round_count
from tpt.export.data_card import questions, size
from tpt.export.examples import FILE
from tpt.export.front_matter import TAGS
from tpt.export.origin import base_of, hub_dataset
from tpt.runs.folder import Run

COLUMNS = {
    "prompt": "the chat up to the answer: a list of `role` and `content`, worked examples as earlier turns",
    "chosen": "a right solution, one assistant's turn",
    "rejected": "a wrong solution of the same problem from the same round",
    "completion": "a solution, one assistant's turn",
    "label": "whether it is right",
    "round": "the round in which they were sampled",
    "problem_id": "the problem's id in the run",
}
SHOWN = {
    "pairs": ("prompt", "chosen", "rejected", "round", "problem_id"),
    "kto": ("prompt", "completion", "label", "round", "problem_id"),
}
WHAT = {
    "pairs": "Pairs of a right and a wrong solution of the same problem. No solution is in two pairs, so a problem has "
    "as many as it has solutions of the rarer kind.",
    "kto": "Solutions, each with whether it is right.",
}
TRAINERS = {"pairs": "DPO", "kto": "KTO"}


def card(run: Run, round: int, form: str, counts: Counter[int]) -> str:
    """The README.md of a data set.

    Args:
        form: `pairs` or `kto`.
        counts: rows of each round.
    """
    total, base, model = counts.total(), base_of(run), run.config.model.name
    data = DatasetCardData(
        pretty_name=f"Right and wrong solutions of {model}, {round_count(round)} of Think, Prune, Train",
        task_categories=["text-generation"],
        size_categories=size(total),
        source_datasets=[hub_dataset(run)] if hub_dataset(run) else None,
        tags=[*TAGS, "preference"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": FILE}]}],
    )
    rounds = [{"round": str(one), "rows": f"{counts[one]:,}"} for one in range(1, round + 1)]
    columns = [{"column": f"`{name}`", "what it is": COLUMNS[name]} for name in SHOWN[form]]
    sections = [
        f"# {data.pretty_name}\n\n{total:,} rows from {round_count(round)} of [Think, Prune, Train]({PAPER}) on "
        f"`{run.config.task.name}`. {WHAT[form]} {_judged(run)}",
        f"## What a row is\n\n{markdown.table(columns).rstrip()}",
        markdown.table(rounds, numbers=True).rstrip(),
        f"## Use\n\n{_use(form)}",
        f"## Licence\n\nThe questions are those of {questions(run)}. The solutions were written by a model. "
        f"{base.license_words}",
        f"## Citation\n\n```bibtex\n{CITATION}\n```",
    ]
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _judged(run: Run) -> str:
    cut_off = "are among them" if run.config.prune.keep_cut_off else "are left out"
    return (
        f"Right is what the {run.config.prune.reader} reader finds right, or what passes all tests; wrong is what no "
        f"reader finds right. Each text is there once in a round. Solutions that were cut off {cut_off}."
    )


def _use(form: str) -> str:
    name, columns = TRAINERS[form], ", ".join(f'"{one}"' for one in SHOWN[form][:3])
    return (
        "```python\n"
        "from datasets import load_dataset\n"
        f"from trl import {name}Config, {name}Trainer\n"
        "from transformers import AutoTokenizer\n\n"
        f'rows = load_dataset("{form}", split="train")  # this folder, or its id on the hub\n'
        f"rows = rows.select_columns([{columns}])\n"
        f'trainer = {name}Trainer("model", args={name}Config(), train_dataset=rows,\n'
        f'    processing_class=AutoTokenizer.from_pretrained("model"))\n'
        "trainer.train()\n"
        "```"
    )
