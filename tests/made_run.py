"""A finished run folder as large as is asked for, written through the project's own records, without a model."""

import random
from collections.abc import Iterator

from tpt import records
from tpt.evaluate import store
from tpt.evaluate.metrics import summarise
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.tasks.base import Split

HOSTILE = "</script><img src=x onerror=\"window.hacked=1;document.title='hacked'\"><b>bold?</b> & ]]> <!-- \u2028"
STEPS = "She has {a} boxes of {b} pencils, so {a} * {b} = {c} pencils.\nShe gives away {d}: {c} - {d} = {e}.\n"
SPLITS: tuple[Split, ...] = ("train", "test")
RIGHT_BY_ROUND = (0.2, 0.35, 0.5, 0.55)
# A set of the run's own, a benchmark and a command.
BESIDE = (
    *("+task@benchmarks.sums=word_problems", "benchmarks.sums.evaluate.samples_per_problem=4"),
    *("benchmarks.sums.evaluate.ks=[1]", "commands.mine.command=echo {checkpoint} {out}"),
    *("commands.mine.figures.acc=acc", "evaluate.also=[train,sums,mine]"),
)


def made_run(settings: Config, problems: int = 40, samples: int = 4, lift: float = 0.0) -> Run:
    """A finished run of word problems in which a model gets better, and its form does too.

    Args:
        problems: of each split.
        samples: of each problem in each round.
        lift: what is added to each round's share of right samples.
    """
    run = Run.create(settings)
    rng = random.Random(run.name)
    for split in SPLITS:
        records.write(run.problems_path(split), Problem, _problems(split, problems))
    for name in settings.chosen_benchmarks:
        records.write(run.problems_path(name), Problem, _problems(name, problems))
        run.finish(table.benchmark(name), {"problems": problems}, 1.0)
    for round in range(settings.rounds + 1):
        right = RIGHT_BY_ROUND[round] + lift
        if round:
            _think_prune_train(run, round, samples, right, rng)
        for which in ("", *settings.evaluate.also):
            if which in settings.commands:
                _measure(run, round, which)
            else:
                _evaluate(run, round, which, samples, right, rng)
    return run


def _problems(split: Split, count: int) -> Iterator[Problem]:
    for number in range(count):
        a, b = 2 + number % 9, 3 + number // 9
        question = f"Mia has {a} boxes of {b} pencils. She gives away 5 of her pencils. How many are left? ({number})"
        yield Problem(f"word_problems/{split}/{number}", question, str(a * b - 5), f"{a} * {b} - 5\n#### {a * b - 5}")


def _sampled(run: Run, split: Split, count: int, right: float, rng: random.Random) -> list[tuple[Sample, Verdict]]:
    found = []
    for number, problem in enumerate(records.read(run.problems_path(split), Problem)):
        for index in range(count):
            a, b = 2 + number % 9, 3 + number // 9
            answer = problem.gold if rng.random() < right else str(int(problem.gold) + rng.randint(1, 9))
            formed = rng.random() < 0.8 + right / 4
            text = STEPS.format(a=a, b=b, c=a * b, d=5, e=answer) + ("#### " if formed else "The answer is ") + answer
            if number == 7 and index == 0:
                text = f"{HOSTILE}\n{text}"
            lenient = Status.CORRECT if answer == problem.gold else Status.WRONG
            strict = lenient if formed else Status.NO_ANSWER
            status = Status.PARTIAL if lenient is Status.CORRECT and not formed else strict
            rule = "hash_marks" if formed else "answer_is"
            verdict = Verdict(problem.id, index, status, strict, lenient, rule, answer if formed else "", answer)
            finish = "stop" if rng.random() < 0.97 else "length"
            found.append((Sample(problem.id, index, [1] * 90, [2] * len(text.split()), text, finish), verdict))
    return found


def _write(run: Run, sampled: Stage, judged: Stage, pairs: list[tuple[Sample, Verdict]]) -> int:
    half = len(pairs) // 2
    for number, shard in enumerate((pairs[:half], pairs[half:])):
        records.write(records.shard_path(run.folder(sampled), "samples", number), Sample, [one for one, _ in shard])
        records.write(records.shard_path(run.folder(judged), "verdicts", number), Verdict, [one for _, one in shard])
    return sum(len(sample.completion_ids) for sample, _ in pairs)


def _think_prune_train(run: Run, round: int, samples: int, right: float, rng: random.Random) -> None:
    think, judge, prune, train = (Stage(round, name) for name in ("think", "judge", "prune", "train"))
    pairs = _sampled(run, "train", samples, right, rng)
    tokens = _write(run, think, judge, pairs)
    run.finish(think, {"samples": len(pairs), "tokens": tokens, "tokens_per_second": 240.0}, 120.0)
    judged = {"judged": len(pairs), "correct": 0, "lenient": 0}
    run.finish(judge, judged, 1.0)
    good = [sample for sample, verdict in pairs if verdict.strict is Status.CORRECT]
    kept = list({one.problem_id: one for one in good}.values())
    examples = [Example(one.problem_id, "self", round, [1], [2], one.text) for one in kept]
    records.write(run.folder(prune) / "examples.parquet", Example, examples)
    counts = {"available": len(pairs), "correct": len(good), "kept": len(kept), "examples": len(kept)}
    run.finish(prune, counts | {"kept_by_source": {"self": len(kept)}}, 2.0)
    run.finish(train, {"steps": 9, "label_tokens": 31 * len(kept), "first_loss": 1.0, "final_loss": 0.5}, 128.0)


def _evaluate(run: Run, round: int, which: str, samples: int, right: float, rng: random.Random) -> None:
    stage = Stage(round, "evaluate", which)
    pairs = _sampled(run, which or "test", samples, right, rng)
    tokens = _write(run, stage, stage, pairs)
    settings = table.evaluation_settings(run.config, stage)
    metrics = summarise([one for one, _ in pairs], [one for _, one in pairs], settings)
    store.save(run.folder(stage), metrics)
    run.finish(stage, {"samples": len(pairs), "tokens": tokens, "metrics": metrics}, 75.0)


def _measure(run: Run, round: int, which: str) -> None:
    figures = {
        name: {"value": RIGHT_BY_ROUND[round], "error": 0.02, "count": None}
        for name in run.config.commands[which].paths("figures")
    }
    run.finish(Stage(round, "command", which), {"figures": figures, "command": [], "json": "out"}, 40.0)
