"""Which samples become training examples."""

from dataclasses import dataclass

from tpt import plugins
from tpt.setting import section, setting


def _is_threshold(text: str) -> bool:
    try:
        return text in ("one", "all_but_one") or 0 < float(text) <= 1
    except ValueError:
        return False


@dataclass
class MixConfig:
    """How many examples come from each source if `prune.source` is `mix`."""

    self: int = setting(0, "Examples from the model's own samples.", low=0)
    human: int = setting(0, "Examples from the solutions that the problems come with.", low=0)
    run: int = setting(0, "Examples from the run that `prune.from_run` names.", low=0)


@dataclass
class FlipConfig:
    """A judge that errs: verdicts are flipped before pruning reads them. Those of the evaluation never are."""

    rate: float = setting(
        0.0, "The share of verdicts flipped; what is flipped at 0.05 is flipped at 0.1 too.", low=0, high=1
    )
    which: str = setting(
        "both",
        "Which verdicts are flipped: `both` kinds, or with `false_positives` only those other than correct.",
        choices=("both", "false_positives"),
    )


@dataclass
class PruneConfig:
    """Which samples become training examples."""

    mode: str = setting(
        "ground_truth",
        "Which samples are kept: `none` keeps all, `ground_truth` the correct ones, `soft_positive` those that pass "
        "`prune.threshold`, `well_formed_wrong` wrong ones in the right form; python:FILE:FUNCTION keeps what a "
        "function of your own says.",
        choices=("none", "ground_truth", "soft_positive", "well_formed_wrong"),
        fits=plugins.names_function,
        words="python:FILE:FUNCTION",
    )
    reader: str = setting("strict", "Which reader of answers decides what is correct.", choices=("strict", "lenient"))
    threshold: str = setting(
        "one",
        "With `soft_positive`, the tests that must pass: `one` (as in the paper), `all_but_one`, or a share of them.",
        fits=_is_threshold,
        words="one, all_but_one, or a share of the tests, as 0.5",
    )
    problems: str = setting(
        "all",
        "Which problems give examples: `all`, those `solved` at least once, or those with `both` a right and a "
        "well-formed wrong solution. Two modes with the same `prune.examples` then train on the same problems.",
        choices=("all", "solved", "both"),
        added=True,
    )
    examples: int | None = setting(None, "Examples drawn in a round (the paper's f); null: all that are kept.", low=1)
    per_problem: int = setting(1, "The most solutions of one problem; 0: all of them.", low=0)
    accumulate: bool = setting(False, "Whether to add to the examples of earlier rounds instead of replacing them.")
    keep_cut_off: bool = setting(
        False, "Whether to keep samples cut off at max_tokens, which teach the model not to stop."
    )
    decontaminate: str = setting(
        "none",
        "How training problems that overlap a test or dev problem, or one of a further set, are found and dropped.",
        choices=("none", "exact", "ngram"),
        added=True,
    )
    decontaminate_n: int = setting(
        13,
        "With `ngram`, how many words in a row both must share; shorter questions are compared whole.",
        low=1,
        added=True,
    )
    warn_below: int = setting(32, "Warn if fewer examples than this are kept.", low=0)
    source: str = setting(
        "self",
        "Where examples come from: `self` is the model's own samples, `human` the problems' solutions, `run` the run "
        "that `prune.from_run` names, `mix` the counts of `prune.mix`.",
        choices=("self", "human", "run", "mix"),
    )
    mix: MixConfig = section(MixConfig)
    from_run: str | None = setting(None, "The run folder whose examples the source `run` takes.", path=True)
    flip: FlipConfig = section(FlipConfig, added=True)

    @property
    def mode_name(self) -> str:
        """The mode in names and tables: of one of the user's own, the name of the function."""
        return plugins.split(self.mode)[1] if plugins.names_function(self.mode) else self.mode
