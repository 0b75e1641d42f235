"""What a capsule says of itself to whoever receives it."""

from tpt import __version__, artefacts
from tpt.runs import table
from tpt.runs.folder import Run

TEXTS = (
    "The texts that models wrote are in it (`samples-*.parquet`, `examples.parquet`), so that they can be judged again."
)
NO_TEXTS = (
    "The texts that models wrote were left out, so verdicts cannot be given again and examples cannot be drawn again. "
    "The figures that follow from verdicts can be recomputed; lengths and the number of different texts cannot."
)


def readme(run: Run, texts: bool) -> str:
    """The README.md of a capsule.

    Args:
        texts: whether what models wrote is in it.
    """
    task = run.config.task
    licence = task.known_licence() or "not recorded: look it up before you share this"
    rounds = sum(table.of(stage).trains and run.record(stage) is not None for stage in run.stages())
    return f"""\
# {run.name}

A run of Think, Prune, Train (arXiv 2504.18116) without its weights: {run.config.model.name} on `{task.called}`, rounds
trained: {rounds}. It was written by tpt {__version__}. {TEXTS if texts else NO_TEXTS}

Licence of the problems: {licence}.

## Recompute every number

Install tpt {__version__}, unpack this folder if it is an archive, and give its path:

```
tpt verify FOLDER
tpt report FOLDER
tpt trace FOLDER --round 1 --example 1
tpt rejudge FOLDER
```

`tpt verify` gives the verdicts again, draws the examples again, recomputes the figures of each evaluation and the
digests of all files, and says what differs and what it cannot check. To check prompts and texts it needs the base
model's tokenizer: `--tokenizer DIR`. `tpt report` writes the table, the figure and the page again, from the files here.

- pass@k, correct@k and maj@k with their intervals: `round-*/evaluate*/verdicts-*.parquet`; of each problem,
  `per_problem.parquet`
- gains in points: `per_problem.parquet` of two rounds, paired by problem
- kept examples: `round-*/think/samples-*.parquet`, `round-*/judge/verdicts-*.parquet`, and the seed in the manifest
- digests of checkpoints, seeds, versions, seconds: `round-*/*/manifest.json`; the weights themselves are not here

`{artefacts.CONFIG}` has every setting, `{artefacts.REPORT}/` the page and the table as they were, `{artefacts.CAPSULE}`
a digest of each file.
"""
