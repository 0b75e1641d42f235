"""A run's right and wrong solutions, in the forms that trainers on preferences read.

A row of `pairs` is a right and a wrong solution of the same problem, as TRL's DPOTrainer and others read them; one of
`kto` is a solution with whether it is right. They are what models wrote in the rounds, before any was drawn to train.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tpt import artefacts, files, pairs, prompt, records
from tpt.errors import RunError
from tpt.explain import in_words
from tpt.export.examples import CHAT, FILE
from tpt.prune.decontaminate import overlapping
from tpt.prune.modes import UNJUDGED, finished, ground_truth
from tpt.records import LIGHT, Problem, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ABOUT = [("round", pa.int64()), ("problem_id", pa.string())]
VERDICT = ("problem_id", "index", "status", "strict", "lenient")
SCHEMAS = {
    "pairs": pa.schema([("prompt", CHAT), ("chosen", CHAT), ("rejected", CHAT), *ABOUT]),
    "kto": pa.schema([("prompt", CHAT), ("completion", CHAT), ("label", pa.bool_()), *ABOUT]),
}


@dataclass
class Solutions:
    """The different solutions of a problem in a round that can be trained on.

    Attributes:
        right: by the reader that pruning heeds, or by all tests.
        wrong: by either reader; one that only the lenient reader finds right is in neither list.
    """

    round: int
    problem: Problem
    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def add(run: Run, form: str, out: Path) -> Path:
    """Write a run's solutions up to the exported round beside an export's model and examples, unless they are there.

    Args:
        form: one of `SCHEMAS`, also the name of the folder.
        out: the folder of a whole export.

    Returns:
        the folder with the data set and its card.
    Raises:
        RunError: samples or verdicts are gone; or no problem has both right and wrong solutions.
        FileError: it cannot be written.
    """
    from transformers import AutoTokenizer

    from tpt.export import labelled_card

    folder = out / form
    if folder.is_dir():
        return folder
    round = int(files.read_json(out / artefacts.EXPORT_MARK, {"round": int})["round"])
    tokenizer = AutoTokenizer.from_pretrained(out / artefacts.EXPORTED_MODEL)
    partial = out / f".{form}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # of one that was killed
    try:
        with in_words(folder):
            written = write(run, round, form, tokenizer, partial)
            files.write_text(partial / "README.md", labelled_card.card(run, round, form, written))
            files.complete(partial)
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def write(run: Run, round: int, form: str, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> Counter[int]:
    """Write the solutions of rounds 1 to `round` to a folder, in bounded memory.

    Returns:
        how many rows each round has.
    """
    counts: Counter[int] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for one in solutions(run, round, tokenizer):
            chat = prompt.messages(one.problem, run.config.task, run.config.model.trained())
            for columns in _pairs(one) if form == "pairs" else _labelled(one):
                counts[one.round] += 1
                yield {"prompt": chat, **columns, "round": one.round, "problem_id": one.problem.id}

    path, schema, remaining = folder / FILE, SCHEMAS[form], rows()
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(remaining, records.ROWS_PER_BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
    if not counts:
        lacking = "both right and wrong solutions" if form == "pairs" else "a solution that is right or wrong"
        raise RunError(
            f"no problem of {run.name} has {lacking}, up to round {round}",
            "draw more samples of each problem (think.samples_per_problem), or at a higher think.temperature",
        )
    return counts


def solutions(run: Run, round: int, tokenizer: "PreTrainedTokenizerBase") -> Iterator[Solutions]:
    """The solutions of each problem in rounds 1 to `round`, one round after the other.

    Problems that pruning drops because they overlap those that are evaluated are left out. Verdicts are as the judge
    gave them, without `prune.flip`.

    Raises:
        RunError: samples or verdicts are gone, or a prompt is no longer the one that was answered.
    """
    problems = {one.id: one for one in records.read(run.problems_path(table.TRAIN_SET), Problem)}
    evaluated = [run.problems_path(one) for one in table.evaluated_sets(run.config)]
    left_out = overlapping(problems.values(), records.read(evaluated, Problem, ("id", "question")), run.config.prune)
    for one in range(1, round + 1):
        for problem_id, judged in groupby(_judged(run, one), key=lambda pair: pair[0].problem_id):
            if problem_id not in left_out:
                found = list(judged)
                _check_prompt(run, problems[problem_id], found[0][0], tokenizer)
                yield _sorted(run, one, problems[problem_id], found)


def _judged(run: Run, round: int) -> Iterator[tuple[Sample, Verdict]]:
    thought, judged = (run.folder(Stage(round, spec.name)) for spec in (table.THINK, table.JUDGE))
    samples = records.shards(thought, artefacts.SAMPLES)
    if not samples:
        raise RunError(
            f"the samples of round {round} are gone from {thought}",
            "only --as sft can be exported; the same `tpt run` as before, after removing its manifest, samples again",
        )
    verdicts = records.shards(judged, artefacts.VERDICTS)
    return pairs.of_shards(samples, verdicts, (*LIGHT, "prompt_ids"), VERDICT)


def _sorted(run: Run, round: int, problem: Problem, judged: list[tuple[Sample, Verdict]]) -> Solutions:
    """A problem's samples as right and wrong ones, each text once."""
    settings, found = run.config.prune, Solutions(round, problem)
    for sample, verdict in judged:
        if not finished(sample, settings.keep_cut_off):
            continue
        doubtful = verdict.status in UNJUDGED or verdict.lenient is Status.CORRECT
        right = ground_truth(verdict, settings)
        if right or not doubtful:
            texts = found.right if right else found.wrong
            texts += [sample.text] if sample.text not in texts else []
    return found


def _check_prompt(run: Run, problem: Problem, sample: Sample, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Check that a prompt is worded as it was, as far as the tokenizer at hand is that of the model that answered."""
    model = run.config.model.trained()
    if run.config.think.teacher is None and sample.prompt_ids != prompt.render(
        problem, run.config.task, tokenizer, model
    ):
        raise RunError(
            f"the prompt of {problem.id} is no longer the one that was answered",
            "export with the version of tpt that made the run",
        )


def _pairs(one: Solutions) -> Iterator[dict[str, Any]]:
    """As many pairs as there are solutions of the rarer kind; no solution is in two of them."""
    for right, wrong in zip(one.right, one.wrong, strict=False):
        yield {"chosen": _answer(right), "rejected": _answer(wrong)}


def _labelled(one: Solutions) -> Iterator[dict[str, Any]]:
    for text, label in [*((text, True) for text in one.right), *((text, False) for text in one.wrong)]:
        yield {"completion": _answer(text), "label": label}


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
