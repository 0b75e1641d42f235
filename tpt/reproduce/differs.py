"""How the arms of an experiment differ from the same arms at paper scale: generated from the two configs."""

from collections.abc import Mapping, Sequence

from tpt.artefacts import Prepared
from tpt.nested import flatten
from tpt.reproduce import experiment as experiments
from tpt.reproduce.arms import compose_all, plan
from tpt.reproduce.asked import Asked
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.settings import config
from tpt.settings.config import Config

AT_PAPER_SCALE = "paper"
# What a reader who compares figures has to know, and what each setting is called.
SETTINGS = {
    "model.name": "model",
    "task.name": "task",
    "task.language": "language",
    "task.train_size": "training problems",
    "think.problems": "training problems sampled",
    "task.test_size": "test problems",
    "evaluate.problems": "test problems sampled",
    "task.few_shot": "few-shot examples",
    "think.samples_per_problem": "samples a training problem",
    "evaluate.samples_per_problem": "samples a test problem",
    "think.max_tokens": "max_tokens, think",
    "evaluate.max_tokens": "max_tokens, evaluate",
    "think.temperature": "temperature, think",
    "evaluate.temperature": "temperature, evaluate",
    "task.tests": "tests a problem",
    "task.seconds": "seconds a test",
    "task.time_factor": "time factor",
    "prune.examples": "examples a round",
    "model.learning_rate": "learning rate",
    "train.epochs": "epochs",
    "train.batch_size": "batch size",
    "rounds": "rounds",
}
Row = dict[str, str]


def rows(asked: Asked, runs: Mapping[str, Run]) -> list[Row]:
    """A line for each setting in which arms differ from those at paper scale, and for problems that are set aside."""
    here = {arm.name: asked.configs[arm.name] for arm in asked.arms if arm.label and arm.of == arm.name}
    paper = {} if asked.scale_name == AT_PAPER_SCALE and not _changed(asked) else _at_paper_scale(asked)
    both = [(_shown(here[name]), _shown(paper[name])) for name in here if name in paper]
    found = [_row(words, [(one.get(key, "-"), other.get(key, "-")) for one, other in both])
             for key, words in SETTINGS.items()]  # fmt: skip
    aside = sorted({count for run in runs.values() if (count := _set_aside(run))})
    if aside:
        found.append({"setting": "problems set aside", "here": ", ".join(map(str, aside)), "paper scale": "0"})
    return [one for one in found if one]


def _changed(asked: Asked) -> bool:
    return any("=" in word and not word.startswith("scale=") for word in asked.command.split())


def _at_paper_scale(asked: Asked) -> dict[str, Config]:
    scale = experiments.scale(asked.experiment, AT_PAPER_SCALE)
    # An engine that is not installed here is no difference.
    arms = plan(asked.experiment, AT_PAPER_SCALE, scale, ["sampler=transformers"])
    return compose_all(arms, lambda run: False)


def _shown(settings: Config) -> dict[str, str]:
    found = {"rounds": "auto" if settings.stop.auto else str(settings.rounds)}
    plain = dict(flatten(config.to_dict(settings)))
    return found | {key: _text(plain[key]) for key in SETTINGS if key in plain and key not in found}


def _text(value: object) -> str:
    return "all" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _row(words: str, pairs: Sequence[tuple[str, str]]) -> Row:
    """Empty if no arm differs; else the values of those that do, each pair once."""
    differing = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    if not differing:
        return {}
    here, there = ([pair[side] for pair in differing] for side in (0, 1))
    return {"setting": words, "here": ", ".join(dict.fromkeys(here)), "paper scale": ", ".join(dict.fromkeys(there))}


def _set_aside(run: Run) -> int:
    done = run.done(table.PREPARED)
    return int(run.results(table.PREPARED, Prepared).get("set_aside", 0)) if done else 0
