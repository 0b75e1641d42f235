"""`tpt` from Python: runs started or opened, what they left as data sets, and the judge of answers.

`import tpt` imports nothing of this; `tpt.__getattr__` does, when one of these names is first used.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import explain, pairs, records
from tpt.artefacts import SAMPLES, VERDICTS
from tpt.errors import RunError, nearest
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from tpt.judges.answer import Judgement

AGAIN = "the same call of tpt.run() continues it"
SAID = ("status", "strict", "lenient", "rule", "strict_answer", "lenient_answer", "passed", "total", "reason")


class Results:
    """A run and what lies in its folder: finished, or as far as it is.

    Attributes:
        path: the run folder.
        config: every setting.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.path: Path = run.root
        self.config: Config = run.config

    @property
    def rounds(self) -> int:
        """How many rounds the run has; with `rounds=auto`, as far as its evaluations tell."""
        return self._run.rounds

    @property
    def done(self) -> bool:
        """Whether every stage is done; False while jobs of a cluster still work on it."""
        return not self._run.owed()

    def samples(self, round: int, stage: str = "think") -> "Dataset":
        """The samples of a stage, each with its problem's question and gold answer and with the verdict on it.

        The rows are held in memory.

        Args:
            round: 0 is the base model, which only has evaluations.
            stage: `think`, `evaluate`, or `evaluate-NAME` for a further set of problems or a benchmark.

        Returns:
            a row for each sample, with the fields of `tpt.records.Sample` and `Verdict`, `question` and `gold`.
        Raises:
            RunError: the run has no such stage, or its samples are not drawn and judged yet.
            Damaged: a file of it cannot be read.
        """
        sampled = self._stage(round, stage)
        if not table.of(sampled).draws:
            raise RunError(f"the stage {sampled} samples nothing", "stages that do: think, evaluate")
        judged = sampled if table.of(sampled).judges else table.judged_in(sampled)
        self._check_done(judged)
        shards = records.shards(self._run.folder(sampled), SAMPLES)
        verdicts = records.shards(self._run.folder(judged), VERDICTS)
        joined = [_joined(*one) for one in pairs.matched(shards, verdicts)]
        split = table.draws_of(self._run.config, sampled).split
        return _dataset(_with_problems(joined, self._run.problems_path(split)))

    def examples(self, round: int) -> "Dataset":
        """The examples that a round was trained on.

        Returns:
            a row for each, with the fields of `tpt.records.Example`.
        Raises:
            RunError: the run has no such round, or the examples are not chosen yet.
            Damaged: the file cannot be read.
        """
        training = self._stage(round, table.TRAIN.name)
        self._check_done(table.before(training))
        return _dataset(_read(self._run.examples_path(round)))

    def problems(self, name: str = "train") -> "Dataset":
        """The problems of a set, e.g. `test`, or of a benchmark, with the fields of `tpt.records.Problem`.

        Raises:
            RunError: the run has no such set, or the problems are not loaded yet.
        """
        self._check_done(table.PREPARED)
        own = [path.stem for path in self._run.folder(table.PREPARED).glob("*.parquet")]
        known = [*own, *self.config.chosen_benchmarks]
        if name not in known:
            raise RunError(f"{self._run.name} has no set of problems '{name}'", nearest(name, known))
        if name not in own:
            self._check_done(table.benchmark(name))
        return _dataset(_read(self._run.problems_path(name)))

    def metrics(self) -> list[dict[str, Any]]:
        """The figures of every evaluated round, as the columns of the report's `table.csv`; None if there is none.

        Shares are between 0 and 1; an interval has a column for each of its ends, e.g. `strict_pass@1_low`.
        """
        from tpt.report import rows
        from tpt.report.table import numbers

        found = [numbers(row) for row in rows.collect([self._run])]
        columns = dict.fromkeys(name for row in found for name in row)
        return [{name: None if (value := row.get(name, "")) == "" else value for name in columns} for row in found]

    def model(self, round: int) -> Path:
        """The folder of the checkpoint after a round, which `from_pretrained` reads; 0: the base model.

        Raises:
            RunError: the run has no such round, or it is not trained yet.
        """
        self._check_done(self._stage(round, table.TRAIN.name) if round else table.PREPARED)
        return self._run.model(round)

    def report(self) -> Path:
        """Write the report; returns the page `report.html`.

        Raises:
            DataError: no round is evaluated yet.
        """
        from tpt.report import report

        return report([self._run], self._run.report_dir).page

    def _stage(self, round: int, name: str) -> Stage:
        known = [str(stage) for stage in self._run.stages()]
        wanted = f"round-{round:02d}/{name}"
        if wanted not in known:
            raise RunError(f"{self._run.name} has no stage {wanted}", nearest(wanted, known))
        return Stage.parse(wanted)

    def _check_done(self, stage: Stage) -> None:
        if not self._run.done(stage):
            raise RunError(f"{stage} of {self._run.name} is not done yet", AGAIN)

    def __repr__(self) -> str:
        stages = self._run.stages()
        return f"<run {self.path}: {len(stages) - len(self._run.owed())} of {len(stages)} stages done>"


def run(
    model: str | None = None,
    task: str | None = None,
    overrides: Sequence[str] = (),
    *,
    config_dir: str | Path | None = None,
    quiet: bool = False,
) -> Results:
    """Start or continue a run, as `tpt run` does, and wait until it is complete; progress goes to standard error.

    The same call continues a run that was interrupted or killed. With a cluster that jobs are submitted to, it returns
    once they are.

    Args:
        model: a config of a model, e.g. `smollm2-135m`; None: the default.
        task: a config of a task, e.g. `gsm8k`; None: the default.
        overrides: settings as on the command line, e.g. `["rounds=4", "prune=none"]`.
        config_dir: a folder of your own configs and tasks.
        quiet: show no progress.

    Returns:
        the run.
    Raises:
        TptError: what the command would print as an error, with its hint: a wrong setting, a stage that failed, ...
        KeyboardInterrupt: after the stage in progress has been stopped; finished work is kept.
    """
    from tpt import tracking
    from tpt.carry_out import carry_out_run
    from tpt.cluster import backend
    from tpt.settings.compose import compose
    from tpt.terminal import Terminal

    chosen = [f"{group}={name}" for group, name in (("model", model), ("task", task)) if name is not None]
    with explain.last_resort():
        config = compose([*chosen, *overrides], None if config_dir is None else Path(config_dir))
        tracking.check(config.tracker)
        terminal = Terminal(quiet=quiet)
        submits = backend.common([config])
        if submits is None:
            return Results(carry_out_run(config, terminal))
        submits.submit([config], None, terminal)
        return Results(Run.of(config))


def open_run(path: str | Path) -> Results:
    """A run by its folder, without starting anything.

    Raises:
        RunError: it is no run folder, or one of another version.
        Damaged: what says which run it is cannot be read.
    """
    return Results(Run.open(Path(path)))


def judge(*, gold: str, completion: str) -> "Judgement":
    """Judge one answer, strictly and leniently, as tasks with numbers and expressions do.

    Args:
        gold: the right answer, or a worked solution that ends with `#### ` and the answer.
        completion: what a model wrote.

    Returns:
        `strict`, `lenient` and `status` (both together), what each reader read, and by which rule.
    """
    return judge_all([(gold, completion)])[0]


def judge_all(answers: Iterable[tuple[str, str]]) -> "list[Judgement]":
    """Judge many (gold, completion) pairs, which is much faster than one `judge` after the other."""
    from tpt.judges.answer import judge_texts

    return list(judge_texts(answers))


def _read(path: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    with records.readable(path):
        return pq.read_table(path)


def _joined(samples: Path, verdicts: Path) -> "pa.Table":
    """A shard of samples with the columns of their verdicts.

    Raises:
        RunError: the verdicts are of other samples.
    """
    found, said = _read(samples), _read(verdicts)
    if any(not found[name].equals(said[name]) for name in ("problem_id", "index")):
        raise RunError(f"{verdicts} does not hold the verdicts of {samples}", pairs.REMOVE)
    for name in SAID:
        found = found.append_column(name, said[name])
    return found


def _with_problems(shards: "list[pa.Table]", path: Path) -> "pa.Table":
    """Tables with `problem_id` as one, with the question and the gold answer of each problem."""
    import pyarrow as pa

    known = {row["id"]: row for row in _read(path).select(["id", "question", "gold"]).to_pylist()}
    found = pa.concat_tables(shards)
    ids = found["problem_id"].to_pylist()
    for name in ("question", "gold"):
        found = found.append_column(name, pa.array([known[one][name] for one in ids], pa.string()))
    return found


def _dataset(rows: "pa.Table") -> "Dataset":
    from datasets import Dataset

    return Dataset(rows.combine_chunks())
