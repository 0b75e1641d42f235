"""Writing an export: all of it or nothing, from finished stages alone."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt import artefacts, chat, files, models, prompt, records
from tpt.errors import Damaged, DiskFull, ModelError, RunError
from tpt.explain import explained, in_words
from tpt.runs import rounds, table
from tpt.runs.folder import Run
from tpt.runs.manifests import now, versions
from tpt.runs.stage import Stage

BEST = "best"  # as a round: the one with the highest figure on dev
GO_ON = "the same `tpt run` as before continues; `tpt status` shows how far it is"
ANEW = "give another folder (--out DIR), or --force to overwrite it"


@dataclass(frozen=True)
class Mark:
    """What an export is of.

    Attributes:
        run: its name.
        round: the round whose model it holds.
        model: a hash of what that round's training made.
        evaluated: the rounds that were evaluated by then.
    """

    run: str
    round: int
    model: str | None
    evaluated: list[int]


@dataclass(frozen=True)
class Export:
    """A folder with an exported round.

    Attributes:
        folder: holds `model`, `examples` and `export.json`.
        new: whether it was written now.
        warnings: what the user should check before sharing it.
    """

    folder: Path
    new: bool
    warnings: list[str]

    @property
    def model(self) -> Path:
        """The checkpoint, with its card."""
        return self.folder / artefacts.EXPORTED_MODEL

    @property
    def examples(self) -> Path:
        """The data set, with its card."""
        return self.folder / artefacts.EXPORTED_EXAMPLES


def export(run: Run, round: int | str | None = None, out: Path | None = None, force: bool = False) -> Export:
    """Write a trained round's model and the examples kept up to it to a folder; one that has them is left as it is.

    Args:
        round: 1, 2, ...; `BEST`: the best on dev; None: the last that is trained, with `rounds=auto` the one it takes.
        out: the folder; None: the run's own place for it.
        force: overwrite an existing export, and with it any changes made there.

    Raises:
        RunError: the round is not trained or cannot be chosen, files of the run are gone, or the folder holds something
            else.
        FileError: the folder cannot be written.
        DiskFull: the model does not fit on the disk.
    """
    round = _trained(run, round)
    out = (out or run.export_dir(round)).resolve()
    evaluated = [one for one in range(round + 1) if run.done(table.evaluation(one))]
    mark = Mark(run.name, round, run.made(table.training(round)), evaluated)
    if _holds(out, mark, force):
        return Export(out, False, _read_mark(out)["warnings"])
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
    files.check_writable(partial / artefacts.EXPORT_MARK)
    _check_whole(run, round)
    _check_disk(run.model(round), out)
    try:
        with in_words(out):
            warnings = _fill(run, round, partial)
            told = {"warnings": warnings, "exported": now(), "versions": versions()}
            files.write_json(partial / artefacts.EXPORT_MARK, dataclasses.asdict(mark) | told)
            files.complete(partial)
            _replace(out, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Export(out, True, warnings)


def _fill(run: Run, round: int, folder: Path) -> list[str]:
    """Write everything but the mark.

    Returns:
        warnings.
    """
    from transformers import AutoTokenizer

    from tpt.export import card, data_card, examples
    from tpt.export.origin import base_of

    made = Export(folder, True, [])
    # Copied, not linked: whoever saves over a file of an export must not change the run.
    shutil.copytree(run.model(round), made.model, copy_function=_copy)
    tokenizer = AutoTokenizer.from_pretrained(made.model)
    template, base = chat.template_of(tokenizer, run.config.model.trained()), base_of(run)
    written = examples.write(
        run, round, tokenizer, prompt.end_ids(tokenizer, made.model, run.config.model.trained()), made.examples
    )
    files.write_text(made.model / "README.md", card.model_card(run, round, base, tokenizer))
    files.write_text(made.examples / "README.md", data_card.data_card(run, round, base, written, template))
    warnings = []
    if base.license_is_unknown:
        warnings.append(f"the licence of {base.name} is not known: look it up and put it into model/README.md")
    if not run.done(table.evaluation(round)):
        warnings.append(f"round {round} is not evaluated: its card has no figures; `tpt run` continues the run")
    return warnings


def _copy(source: str, target: str) -> None:
    """Copy a file; a full disk is said at once, of the file that is written: the system names the one that is read."""
    try:
        shutil.copy2(source, target)
    except OSError as error:
        full = explained(error, Path(target))
        if isinstance(full, DiskFull):
            raise full from error
        raise


def _trained(run: Run, round: int | str | None) -> int:
    """The round to export, which is trained."""
    trained = [stage.round for stage in run.stages() if table.of(stage).trains and run.done(stage)]
    there = f"trained: {', '.join(map(str, trained))}" if trained else "none is trained yet"
    if not trained and not isinstance(round, int):
        raise RunError(f"no round of {run.name} is trained yet", GO_ON)
    if round is None:
        round = _last(run, trained, there)
    elif isinstance(round, str):
        round = _best(run, trained, there)
    elif round == 0:
        raise RunError("round 0 is the base model: nothing of it was trained here", f"give --round from 1 on; {there}")
    if not 1 <= round <= run.rounds:
        raise RunError(f"{run.name} has no round {round}; it has {run.rounds}", f"give another --round; {there}")
    if round not in trained:
        raise RunError(f"round {round} of {run.name} is not trained yet", f"{there}; {GO_ON}")
    return round


def _last(run: Run, trained: list[int], there: str) -> int:
    """The last trained round; with `rounds=auto`, the one it takes."""
    if not run.config.stop.auto:
        return trained[-1]
    stop = run.stopped()
    if stop is None:
        raise RunError(f"rounds=auto has not yet chosen a round of {run.name}", f"{GO_ON}; or give --round ({there})")
    return _more_than_base(run, stop.take, there)


def _best(run: Run, trained: list[int], there: str) -> int:
    """The round that is best on dev."""
    candidates = [0, *trained]
    found = rounds.best(run, candidates)
    if found is None:
        lacking = [str(one) for one in candidates if not run.done(table.choosing(one))]
        raise RunError(
            f"the best round of {run.name} is chosen on dev, and round {', '.join(lacking)} is not evaluated on it",
            f"give --round ({there}); `tpt run` evaluates each round on dev with rounds=auto or task.dev_size=N",
        )
    return _more_than_base(run, found, there)


def _more_than_base(run: Run, chosen: int, there: str) -> int:
    if chosen == 0:
        raise RunError(
            f"on dev no round of {run.name} is better than the base model: there is nothing to export",
            f"to export a round all the same, give --round ({there})",
        )
    return chosen


def _holds(out: Path, mark: Mark, force: bool) -> bool:
    """Whether `out` has this very export, to be left as it is; else it may be written.

    Raises:
        RunError: it holds something else.
    """
    with in_words(out):
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return False
        if not (out / artefacts.EXPORT_MARK).is_file():
            raise RunError(f"{out} is there already and is no export", "give another folder: --out DIR")
    if force:
        return False
    found, wanted = _read_mark(out), dataclasses.asdict(mark)
    if {name: found.get(name) for name in wanted} != wanted:
        raise RunError(
            f"{out} holds round {found.get('round')} of {found.get('run')}, or was written when less was evaluated",
            ANEW,
        )
    return True


def _read_mark(out: Path) -> dict[str, Any]:
    """What a whole export says of itself: a `Mark` as JSON, and more.

    Raises:
        RunError: it is damaged.
    """
    for part in (Export(out, False, []).model, Export(out, False, []).examples):
        if not part.is_dir():
            raise RunError(f"the export {out} has lost its folder {part.name}", ANEW)
    try:
        return files.read_json(out / artefacts.EXPORT_MARK, {"warnings": list})
    except Damaged as error:
        raise RunError(error.message, ANEW) from error


def _check_whole(run: Run, round: int) -> None:
    """Check that the files which finished stages left are still there.

    Raises:
        RunError: naming what is missing, and how to restore it.
    """

    def gone(what: str, stage: Stage) -> RunError:
        hint = f"remove {run.manifest_path(stage)}, and the same `tpt run` as before makes it again"
        return RunError(f"{run.name} is incomplete: {what}", hint)

    try:
        if not run.model(round).is_dir():
            raise ModelError(f"{run.model(round)} is gone")
        models.check_folder(run.model(round))
    except ModelError as error:
        raise gone(error.message, table.training(round)) from error
    needed: list[tuple[Path, Stage]] = [(run.problems_path(table.TRAIN_SET), table.PREPARED)]
    needed += [(run.examples_path(one), table.trained_on(one)) for one in range(1, round + 1)]
    for path, stage in needed:
        if not run.done(stage) or not records.is_whole(path):
            raise gone(f"{path} is gone or torn", stage)


def _check_disk(model: Path, out: Path) -> None:
    needed = sum(path.stat().st_size for path in model.iterdir())
    free = files.free_space(out)
    if needed > free:
        raise DiskFull(
            f"the model needs {needed / 2**30:.1f} GiB under {out.parent}; {free / 2**30:.1f} GiB are free",
            "free some space, or give a folder on another disk: --out DIR",
        )


def _replace(out: Path, partial: Path) -> None:
    """Put `partial` where `out` is; at no moment is there half of either."""
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)
