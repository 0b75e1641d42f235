"""How completions are sampled, to think and to evaluate."""

import re
from dataclasses import dataclass

from tpt.setting import setting
from tpt.settings.model import ModelConfig

MAIN = "test"  # the split that is always evaluated
NAME = re.compile(r"[a-z][a-z0-9_]*")


def _names_another(text: str) -> bool:
    return text != MAIN and NAME.fullmatch(text) is not None


@dataclass
class SampleConfig:
    """How completions are sampled, to think and to evaluate."""

    problems: int | None = setting(None, "How many problems are used, from the first on; null: all.", low=1)
    samples_per_problem: int = setting(10, "Completions sampled for each problem.", low=1)
    temperature: float = setting(0.8, "The sampling temperature; 0 is greedy.", low=0, high=2)
    top_p: float = setting(1.0, "Sample from the most likely tokens of this total probability.", low=0.01, high=1)
    top_k: int = setting(0, "Sample from this many most likely tokens; 0: from all.", low=0, added=True)
    min_p: float = setting(
        0.0,
        "Sample from the tokens that are at least this share as likely as the most likely one; 0: from all.",
        low=0,
        high=1,
        added=True,
    )
    stop: list[str] | None = setting(
        None,
        "Texts before which a completion is cut; its end token then follows, and is trained. null: none for a chat; "
        "for a plain-text prompt, what follows each worked example in it.",
        fits=len,
        words="give texts that are not empty",
        unique=True,
        added=True,
    )
    max_tokens: int = setting(512, "The maximum number of tokens in a completion.", low=1)


@dataclass
class ThinkConfig(SampleConfig):
    """Sampling on the training split."""

    teacher: ModelConfig | None = setting(
        None, "Another model to sample from (distillation); null: the current one. +model@think.teacher=NAME sets it."
    )


@dataclass
class EvaluateConfig(SampleConfig):
    """Sampling on the test split, and the statistics computed from it."""

    samples_per_problem: int = 20
    temperature: float = 0.7
    ks: list[int] = setting(
        [1, 20],
        "The k of each pass@k that is estimated.",
        low=1,
        least=1,
        hint="name at least one k, e.g. evaluate.ks=[1]",
    )
    confidence: float = setting(0.95, "The confidence of intervals.", low=0.5, high=0.999)
    also: list[str] = setting(
        [],
        "What each model is evaluated on in addition to the test split: further sets of the task's problems, e.g. "
        "[dev] or [train]; benchmarks; commands.",
        fits=_names_another,
        words=f"names of lower-case letters, digits and '_' that begin with a letter, and not {MAIN}",
        unique=True,
        runtime=True,  # it says which evaluations there are, and not what any of them gives
    )
