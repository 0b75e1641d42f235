"""What the analyses read of a run folder: judged samples, by problem."""

from collections.abc import Sequence

from tpt import pairs, records
from tpt.artefacts import SAMPLES, VERDICTS
from tpt.errors import DataError
from tpt.prune.modes import UNJUDGED, ground_truth
from tpt.prune.sources import VERDICT
from tpt.records import LIGHT, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.prune import PruneConfig

Judged = tuple[Sample, Verdict]

TOKENS = ("problem_id", "index", "prompt_ids", "completion_ids", "text", "finish_reason")


def evaluated_rounds(run: Run) -> list[int]:
    """The rounds that are evaluated, from the base model's, 0.

    Raises:
        DataError: the base model, or every round after it, is not evaluated yet.
    """
    rounds = [round for round in range(run.rounds + 1) if run.done(table.evaluation(round))]
    if rounds[:1] != [0]:
        raise DataError(
            f"the base model of {run.name} is not evaluated yet, so there is nothing to compare with", AGAIN
        )
    if len(rounds) < 2:
        raise DataError(f"no round of {run.name} is evaluated yet, only its base model", AGAIN)
    return rounds


AGAIN = "`tpt run` with the same settings continues"


def evaluation(run: Run, round: int, columns: Sequence[str] = LIGHT) -> dict[str, list[Judged]]:
    """The samples of a round's evaluation with their verdicts, by problem, in the order of the test split."""
    stage = table.evaluation(round)
    return _by_problem(run, stage, stage, columns)


def thought(run: Run, round: int, columns: Sequence[str] = TOKENS) -> dict[str, list[Judged]]:
    """The samples that a round's training examples were pruned from, with their verdicts, by problem.

    Raises:
        DataError: the round is not judged yet.
    """
    judged = table.judged_in(think := Stage(round, table.THINK.name))
    if not run.done(judged):
        raise DataError(f"the samples of round {round} of {run.name} are not judged yet", AGAIN)
    return _by_problem(run, think, judged, columns)


def _by_problem(run: Run, sampled: Stage, judged: Stage, columns: Sequence[str]) -> dict[str, list[Judged]]:
    samples = records.shards(run.folder(sampled), SAMPLES)
    verdicts = records.shards(run.folder(judged), VERDICTS)
    found: dict[str, list[Judged]] = {}
    for sample, verdict in pairs.of_shards(samples, verdicts, columns, (*VERDICT, "lenient_answer")):
        found.setdefault(sample.problem_id, []).append((sample, verdict))
    if not found:
        raise DataError(
            f"{run.folder(sampled)} holds no samples", f"remove {run.manifest_path(sampled)}, then run again"
        )
    return found


def is_right(verdict: Verdict, config: PruneConfig) -> bool:
    """Whether a solution is right as the run's pruning reads it (`prune.reader`)."""
    return ground_truth(verdict, config)


def is_wrong(verdict: Verdict) -> bool:
    """Whether a solution is wrong however it is read: one that is right except for its format is not."""
    return verdict.status not in UNJUDGED and Status.CORRECT not in (verdict.strict, verdict.lenient)
