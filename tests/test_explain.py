"""The file system's errors are told in the user's words before anything is sampled; other users' folders are shared."""

import errno
import json
import os
import pwd
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import other_user
import pytest

from tpt import caches, explain, files, models
from tpt.cli import main
from tpt.cluster.attempts import WORTH_A_RETRY
from tpt.errors import DataError, FileError, ModelError, StorageFailed
from tpt.launch import failures
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.tasks import rows

Make = Callable[..., Config]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE])
def test_what_the_system_says_of_a_file_is_said_with_its_path_and_with_what_to_do(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(FileError) as caught, files.atomic(path):
        raise OSError(number, os.strerror(number))
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_an_error_about_another_file_names_that_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=f"^{tmp_path}/file is a file"), files.atomic(tmp_path / "a"):
        (tmp_path / "file" / "b").write_text("")


def test_a_stage_is_tried_again_where_a_file_server_failed_and_not_where_a_folder_is_closed(tiny_config: Make) -> None:
    run, stage = Run.create(tiny_config()), Stage(1, "think")
    kinds = []
    for number in (errno.ESTALE, errno.EACCES):
        failures.record_failure(run, stage, 0, OSError(number, os.strerror(number), str(run.root / "x")))
        said = files.read_json(run.error_path(stage, 0))
        assert said["known"]
        kinds.append(said["kind"])
    assert [kind in WORTH_A_RETRY for kind in kinds] == [True, False]
    assert kinds[0] == StorageFailed.__name__


def unusable(folder: Path) -> dict[str, tuple[str, str]]:
    """Run roots, each with a part of the error that it makes."""
    (folder / "file").write_text("")
    (folder / "link").symlink_to("nowhere")
    return {
        "a file": ("file", f"{folder}/file is a file, and a folder is needed there"),
        "under a file": ("file/below", f"{folder}/file is a file, and a folder is needed there"),
        "a link to nothing": ("link", f"{folder}/link is a link to nowhere, which does not exist"),
        "long name": ("n" * 300, "too long for the file system"),
        "long path": ("/".join(["n" * 240] * 17), "too long for the file system"),
    }


@pytest.mark.parametrize("case", ["a file", "under a file", "a link to nothing", "long name", "long path"])
def test_a_run_root_that_cannot_be_one_is_said_before_anything_is_sampled(
    tmp_path: Path, tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], case: str
) -> None:
    name, expected = unusable(tmp_path)[case]
    assert main([*tiny_command(), f"run_root={tmp_path / name}"]) == 1
    said = capsys.readouterr()
    assert expected in said.out + said.err
    assert not list(tmp_path.rglob("logs"))


def test_a_run_root_with_a_name_as_long_as_there_may_be_works(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config(f"run_root={tmp_path / ('n' * 240)}", f"model.name={'m' * 200}"))
    with run.lock():
        run.finish(Stage(0, "evaluate"), {}, 1.0)
    assert run.done(Stage(0, "evaluate"))


def test_a_command_names_whatever_file_it_could_not_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path / ("n" * 300))]) == 1
    assert "too long for the file system" in "".join(capsys.readouterr())
    with pytest.raises(FileError, match=f"{tmp_path}/gone: No such file"), explain.last_resort():
        (tmp_path / "gone").read_text()
    with pytest.raises(ConnectionError), explain.last_resort():
        raise ConnectionError("not about a file")


def test_a_folder_that_cannot_be_copied_is_named(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a").symlink_to("nowhere")
    with pytest.raises(FileError, match=f"{tmp_path}/from/a cannot be copied"), explain.last_resort():
        shutil.copytree(tmp_path / "from", tmp_path / "to")


def test_a_cache_of_the_hub_that_may_not_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(
            errno.EACCES, "Permission denied", "/proc/1/huggingface"
        )  # what the hub's clients pass on

    monkeypatch.setattr("datasets.load_dataset", refused)
    monkeypatch.setattr("huggingface_hub.snapshot_download", refused)
    with pytest.raises(DataError, match="/proc/1/huggingface") as of_data:
        list(rows.rows("owner/name", "train", []))
    with pytest.raises(ModelError, match="/proc/1/huggingface") as of_model:
        models.locate(ModelConfig(name="other", path="owner/name"))
    assert "HF_HOME" in of_data.value.hint
    assert "HF_HOME" in of_model.value.hint


def test_without_a_home_folder_the_variable_that_names_a_cache_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)  # as in a container that runs as a number
    for name in ("HOME", "TPT_CACHE", *caches.LIBRARIES):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(FileError) as caught:
        models.locate(ModelConfig(name="tiny-random", source="random"))
    assert "TPT_CACHE" in caught.value.hint
    assert all(Path(folder).parent.is_dir() for folder in caches.library_caches().values())


# What follows is done by two users of one group, who keep from each other what a umask of 022 does.

OWNER = """
import sys
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from tpt import files
from tpt.settings.compose import compose
from tpt.runs.stage import Stage
from tpt.runs.folder import Run

stage = Stage(1, "think")
for name in ("readable", "private", "half"):
    root = Path(sys.argv[1]) / name
    run = Run.create(compose(["experiment=smoke", "sampler=transformers", "prune=none", f"run_root={root}"]))
    with run.lock():
        with files.atomic(run.folder(stage) / "samples-00000.parquet") as path:
            pq.write_table(pa.table({"text": ["samples"]}), path)
        run.finish(stage, {}, 1.0)
        run.publish(Stage(0, "evaluate"))  # which it does not finish
    root.chmod(0o775)
    if name == "private":
        (run.folder(stage) / "samples-00000.parquet").chmod(0o600)
    if name == "half":
        run.root.chmod(0o775)
"""

OTHER = """
import contextlib, io, json, logging, os, sys
from pathlib import Path
import pyarrow.parquet as pq
from tpt import caches, models, records
from tpt.cli import main
from tpt.settings.compose import compose
from tpt.settings.model import ModelConfig
from tpt.errors import TptError
from tpt.runs import shared
from tpt.runs.stage import Stage
from tpt.runs.folder import Run

folder, cache, found = Path(sys.argv[1]), sys.argv[2], {}
smoke = ["experiment=smoke", "sampler=transformers"]
warnings = io.StringIO()
logging.basicConfig(stream=warnings, format="%(message)s")

for name in ("root", "readable", "half", "frozen"):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        found[f"code of {name}"] = main(["run", *smoke, "prune=none", f"run_root={folder / name}"])
    found[name] = said.getvalue()

think, prune = Stage(1, "think"), Stage(1, "prune")
for name in ("readable", "private"):
    run = Run.create(compose([*smoke, "prune=ground_truth", f"run_root={folder / name}"]))
    found[f"{name} adopted"] = shared.adopt(run, think) is not None
    found[f"{name} waits"] = shared.owner(run, Stage(0, "evaluate")) is not None
    run.finish(prune, {}, 1.0)
    found[f"{name} finished"] = run.done(prune)
    for shard in run.folder(think).glob("samples-*"):
        [text] = pq.read_table(shard)["text"].to_pylist()
        found["copy"] = [shard.stat().st_uid == os.getuid(), oct(shard.stat().st_mode), text]
found["warnings"] = warnings.getvalue()
try:
    records.count(next(one for one in (folder / "private").rglob("samples-00000.parquet") if one.stat().st_uid))
except TptError as error:
    found["unreadable"] = f"{type(error).__name__}: {error}"

def located(place):
    os.environ["TPT_CACHE"] = place
    try:
        return str(models.locate(ModelConfig(name="tiny-random", source="random")))
    except TptError as error:
        return str(error)

found["whole cache"] = located(cache)
found["library caches"] = all(os.access(Path(one).parent, os.W_OK) for one in caches.library_caches().values())
found["closed cache"] = located(str(folder / "root"))
found["closed home"] = located("")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> Iterator[dict[str, Any]]:
    """What became of one user's commands in folders that are another user's."""
    if other_user.unavailable():
        pytest.skip(other_user.unavailable())
    with other_user.place() as root:
        cache = root / "cache"
        shutil.copytree(tiny_model, cache / tiny_model.name, copy_function=shutil.copyfile)
        shared = other_user.shared_folder(root / "shared")
        (shared / "root").mkdir(mode=0o755)
        with other_user.reachable():
            other_user.read_only(shared / "frozen")
            variables = other_user.variables(root)
            owner = [sys.executable, "-c", OWNER, str(shared)]
            made = other_user.run(other_user.SECOND, owner, variables, umask=0o022)
            assert made.returncode == 0, made.stderr
            other = [sys.executable, "-c", OTHER, str(shared), str(cache)]
            done = other_user.run(other_user.FIRST, other, variables, umask=0o022)
            assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


@pytest.mark.parametrize(
    ("folder", "owner", "file"),
    [("root", "root", "root"), ("readable", other_user.SECOND, ""), ("half", other_user.SECOND, "/.lock")],
)
def test_a_folder_that_one_may_not_write_is_said_with_its_owner_and_how_it_is_shared(
    found: dict[str, Any], folder: str, owner: str, file: str
) -> None:
    assert found[f"code of {folder}"] == 1
    assert f"user {other_user.FIRST} may not write" in found[folder]
    assert f"{file} belongs to {owner} (mode " in found[folder]
    assert "run_root=" in found[folder]
    assert "umask 002" in found[folder]
    assert "Traceback" not in found[folder]


def test_a_file_system_that_is_mounted_read_only_is_said(found: dict[str, Any]) -> None:
    assert found["code of frozen"] == 1
    assert "is on a file system that is mounted read-only" in found["frozen"]


def test_stages_of_another_user_are_shared_where_they_may_be_read_and_are_ones_own_then(found: dict[str, Any]) -> None:
    assert found["readable adopted"]
    assert found["copy"] == [True, "0o100644", "samples"]  # no hard link: the owner could change it later
    assert not found["private adopted"]


def test_a_stage_that_another_user_has_begun_is_not_waited_for_where_it_could_not_be_finished(
    found: dict[str, Any],
) -> None:
    assert not found["readable waits"]


def test_a_file_that_one_may_not_read_is_said_with_its_owner_and_is_not_to_be_removed(found: dict[str, Any]) -> None:
    assert found["unreadable"].startswith(f"RunError: user {other_user.FIRST} may not read ")
    assert f"samples-00000.parquet belongs to {other_user.SECOND} (mode 600)" in found["unreadable"]
    assert "ask its owner for permission to read it" in found["unreadable"]
    assert "remove" not in found["unreadable"]


def test_a_closed_list_of_shared_stages_is_said_and_fails_no_stage(found: dict[str, Any]) -> None:
    assert found["readable finished"]
    assert found["private finished"]
    assert f".stages belongs to {other_user.SECOND}" in found["warnings"]
    assert "other runs will not find" in found["warnings"]


def test_a_cache_that_another_user_filled_is_used_and_one_that_cannot_be_filled_is_named(found: dict[str, Any]) -> None:
    assert found["whole cache"].endswith("cache/tiny-random-1")
    assert found["library caches"]
    for name in ("closed cache", "closed home"):
        assert f"user {other_user.FIRST} may not write" in found[name]
        assert "set TPT_CACHE" in found[name]
