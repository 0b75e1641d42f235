"""A run away from home: without root, on a path with a space and an umlaut, with a small /tmp, shared by a group."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import other_user
import pytest

from tpt.runs.folder import Run, find

TMP_MEBIBYTES = 1  # less than a training checkpoint of the tiny model takes


@pytest.fixture
def root() -> Iterator[Path]:
    """A place that both users may enter, with this interpreter in reach."""
    if other_user.unavailable():
        pytest.skip(other_user.unavailable())
    with other_user.place() as folder, other_user.reachable():
        yield folder


def kept_from_the_group(folder: Path) -> list[str]:
    """What the other members of the group may not read and write, or belongs to another group."""
    group = folder.stat().st_gid
    found = []
    for path in folder.rglob("*"):
        status = path.lstat()
        needed = 0o070 if path.is_dir() else 0o060
        if not stat.S_ISLNK(status.st_mode) and (status.st_gid != group or status.st_mode & needed != needed):
            found.append(f"{path.relative_to(folder)} {stat.filemode(status.st_mode)}")
    return found


@pytest.mark.slow
def test_a_run_of_one_user_is_continued_by_another_of_the_group(root: Path) -> None:
    shared = other_user.shared_folder(root / "Gemeinsame Läufe")
    small = other_user.small_disk(root / "tmp", TMP_MEBIBYTES)
    variables = other_user.variables(root, TMPDIR=str(small), TPT_CACHE=str(shared / "cache"))

    def tpt(user: str, *words: str) -> str:
        done = other_user.run(user, [sys.executable, "-m", "tpt.cli", *words], variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    settings = ("experiment=smoke", "sampler=transformers", f"run_root='{shared / 'runs'}'")
    tpt(other_user.FIRST, "run", *settings, "rounds=0")
    [folder] = find(shared / "runs")
    assert not Run.open(folder).owed()
    assert kept_from_the_group(shared) == []

    assert "complete" in tpt(other_user.SECOND, "status", str(shared / "runs"))
    tpt(other_user.SECOND, "run", *settings, "rounds=1")
    assert not Run.open(folder).owed()
    assert kept_from_the_group(shared) == []
    owners = {path.owner() for path in folder.rglob("manifest.json")}
    assert owners == {other_user.FIRST, other_user.SECOND}

    del variables["TPT_CACHE"], variables["HOME"]  # nothing but a report's figure needs a place to keep things
    said = tpt(other_user.FIRST, "report", str(folder))
    assert "round 1" in said
    assert "matplotlib" not in said.lower()
    assert list(small.iterdir()) == []
