"""Finished evaluations for tests, made as the evaluate stage makes them, without a model."""

from tpt.evaluate import store
from tpt.evaluate.metrics import summarise
from tpt.records import Sample, Status, Verdict
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

PROBLEMS = 40


def finish_evaluation(
    run: Run, round: int, solved: int, leniently: int = 0, unjudged: int = 0, which: str = ""
) -> None:
    """An evaluation in which both samples of the first `solved` problems are right.

    Args:
        leniently: problems of which the lenient reader finds both samples right, if that is more.
        unjudged: of the last problems, how many the judge failed on.
        which: set is evaluated, see `Stage.which`.
    """
    samples, verdicts = [], []
    for number in range(PROBLEMS):
        strict = Status.CORRECT if number < solved else Status.WRONG
        lenient = Status.CORRECT if number < max(solved, leniently) else Status.WRONG
        if number >= PROBLEMS - unjudged:
            strict = lenient = Status.JUDGE_ERROR
        for index in range(2):
            samples.append(Sample(f"p{number}", index, [], [1, 2], "text", "stop"))
            verdicts.append(Verdict(f"p{number}", index, lenient, strict, lenient, "hash_marks", "1", "1"))
    metrics = summarise(samples, verdicts, run.config.evaluate)
    stage = Stage(round, "evaluate", which)
    store.save(run.folder(stage), metrics)
    run.finish(stage, {"metrics": metrics}, 3.0)


def finish_round(run: Run, round: int, solved: int, tested: int | None = None) -> None:
    """All stages of a round, whose evaluations are as `finish_evaluation` makes them.

    Args:
        tested: problems of the test split that are solved, if not as many as of the further sets.
    """
    if round:
        run.finish(Stage(round, "think"), {"samples": 80, "tokens_per_second": 50.0}, 2.0)
        run.finish(Stage(round, "judge"), {"judged": 80, "correct": 9, "lenient": 9}, 1.0)
        run.finish(Stage(round, "prune"), {"examples": 9, "kept": 9, "available": 80}, 2.0)
        run.finish(Stage(round, "train"), {"steps": 2, "first_loss": 1.0, "final_loss": 0.5}, 2.0)
    else:
        run.finish(Stage(0, "prepare"), {"train": 40, "test": PROBLEMS, "model_dir": str(run.root)}, 1.0)
    for which in ("", *run.config.evaluate.also):
        finish_evaluation(run, round, solved if which or tested is None else tested, which=which)
