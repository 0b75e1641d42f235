"""Whether prompts, texts and verdicts come out of the recorded problems and tokens as they are recorded."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from tpt import prompt, records
from tpt.audit.finding import Finding
from tpt.audit.recorded import Recorded, Unchecked, sample_shards
from tpt.audit.tools import Tools
from tpt.errors import RunError
from tpt.prompt import Decoder
from tpt.records import ENDED, Sample, Status, Verdict
from tpt.runs import identity, table
from tpt.runs.manifests import versions
from tpt.runs.stage import Stage
from tpt.stages.judge import verdicts_on, verdicts_path
from tpt.stages.think import engines_of
from tpt.tasks.code import CodeTask

# What a verdict says; the reason in words, and which test failed how, may depend on the machine.
SAID = ("status", "strict", "lenient", "rule", "strict_answer", "lenient_answer", "passed", "total")
JUDGES_WITH = ("tpt", "math-verify", "python")  # packages that verdicts may depend on
RENDERS_WITH = ("tpt", "transformers")


def name_of(one: Sample | Verdict) -> str:
    """What messages call a sample."""
    return f"sample {one.index} of {one.problem_id}"


def prompts(run: Recorded, stage: Stage, found: Finding, tools: Tools) -> None:
    """Each prompt's tokens, rendered again from its problem."""
    draws, shards = table.draws_of(run.config, stage), sample_shards(run, stage)
    for number, problems, path in shards:
        tools.tell(f"prompts of {stage}, shard {number + 1}")
        tokenizer = tools.tokenizer(run, stage)
        rendered = {one.id: prompt.render(one, draws.task, tokenizer, draws.model) for one in problems}
        for sample in records.read(path, Sample, ("problem_id", "index", "prompt_ids")):
            now = rendered.get(sample.problem_id)
            found.compare(now == sample.prompt_ids, f"{name_of(sample)}: {_first_token(sample.prompt_ids, now)}")
    _note_versions(run, stage, found, RENDERS_WITH)


def _first_token(recorded: list[int], now: list[int] | None) -> str:
    if now is None:
        return "its shard should have no sample of this problem"
    place = next((at for at, pair in enumerate(zip_longest(recorded, now)) if pair[0] != pair[1]), 0)
    return f"token {place} of the prompt is {recorded[place : place + 1]}, rendered again {now[place : place + 1]}"


def texts(run: Recorded, stage: Stage, found: Finding, tools: Tools) -> None:
    """Each completion's text, decoded again from its tokens."""
    if any(one.get("encoded_again") for one in engines_of(run.folder(stage))):
        raise Unchecked("a server gave the texts, and the tokens were encoded from them")
    for number, _, path in sample_shards(run, stage):
        tools.tell(f"texts of {stage}, shard {number + 1}")
        decode = Decoder(tools.tokenizer(run, stage))
        for sample in records.read(path, Sample):
            ended = sample.finish_reason in ENDED
            ids = sample.completion_ids[:-1] if ended else sample.completion_ids
            now = decode.opened_by(sample.prompt_ids) + decode(ids)
            found.compare(now == sample.text, f"{name_of(sample)}: its tokens do not spell its text")
    _note_versions(run, stage, found, RENDERS_WITH)


def verdicts(run: Recorded, stage: Stage, found: Finding, tools: Tools) -> None:
    """Each sample's verdict, given again by the judge of today."""
    _check_judge(run, stage)
    undecided = 0
    for number, problems, path in sample_shards(run, stage):
        tools.tell(f"verdicts on {stage}, shard {number + 1}")
        recorded = records.read(verdicts_path(run, stage, number), Verdict)
        for before, now in both(recorded, verdicts_on(run, stage, problems, path)):
            if now.status is Status.JUDGE_ERROR and before.status is not Status.JUDGE_ERROR:
                undecided += 1  # the judge of today failed, which says nothing against the recorded verdict
            else:
                found.compare(same(before, now), f"{name_of(now)}: recorded {in_words(before)}, now {in_words(now)}")
    _note_versions(run, table.judged_in(stage), found, JUDGES_WITH)
    if undecided:
        found.add_note(f"{undecided:,} samples could not be judged here: the judge failed, as on a machine too busy")
    if found.differs and isinstance(table.task_of(run.config, stage), CodeTask):
        found.add_note("a program near its time limit may pass on one machine and not on another, or a busier one")


def _check_judge(run: Recorded, stage: Stage) -> None:
    """Check that the judge of today is the one that judged.

    Raises:
        Unchecked: it is not.
    """
    judged = table.judged_in(stage)
    record = run.record(judged)
    if record is None:
        raise Unchecked("it is not judged yet")
    if run.rules_changed(judged):
        raise Unchecked(f"it was judged by rules of version {record.version}; `tpt rejudge` compares them with today's")
    own = str(getattr(table.task_of(run.config, stage), "judge", "")).startswith("python:")
    try:
        identity.check(run.config, run.contents, ["task.code", *(["task.files"] if own else [])])
    except RunError as error:
        raise Unchecked(error.message) from error


def both(recorded: Iterator[Verdict], now: Iterator[Verdict]) -> Iterator[tuple[Verdict, Verdict]]:
    """Recorded and new verdicts on the same samples.

    Raises:
        RunError: the recorded ones are on other samples.
    """
    for before, after in zip_longest(recorded, now):
        if not (before and after) or (before.problem_id, before.index) != (after.problem_id, after.index):
            raise RunError("the verdict shard does not hold the verdicts of its sample shard", "restore it from a copy")
        yield before, after


def same(before: Verdict, after: Verdict) -> bool:
    """Whether two verdicts say the same."""
    return all(getattr(before, name) == getattr(after, name) for name in SAID)


def in_words(verdict: Verdict) -> str:
    """A verdict in a few words."""
    tests = f", {verdict.passed} of {verdict.total} tests" if verdict.total > 1 else ""
    readings = f"strict {verdict.strict} {verdict.strict_answer!r:.40}, lenient {verdict.lenient} "
    return f"{readings}{verdict.lenient_answer!r:.40} by {verdict.rule or 'its tests'}{tests}"


def _note_versions(run: Recorded, stage: Stage, found: Finding, packages: tuple[str, ...]) -> None:
    """Say of differences that packages of another version may be the reason."""
    if not found.differs:
        return
    then, now = run.manifest(stage).get("versions", {}), versions()
    changed = [f"{one} {then.get(one)} then, {now.get(one)} now" for one in packages if then.get(one) != now.get(one)]
    if changed:
        found.add_note(f"packages of another version may be the reason: {', '.join(changed)}")


def shard_files(run: Recorded, stage: Stage) -> tuple[list[Path], list[Path]]:
    """The sample shards of a stage and the verdict shards beside them, whichever are there."""
    judged = run.folder(table.judged_in(stage))
    return records.shards(run.folder(stage), "samples"), records.shards(judged, "verdicts")
