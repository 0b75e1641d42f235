"""Files are whole or not there, also when the disk is full."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tpt import explain, files, records
from tpt.errors import DiskFull
from tpt.records import Status, Verdict


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="stop"), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise ValueError("stop")
    assert files.read_json(path) == {"a": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_a_torn_last_line_is_passed_over_and_then_written_over(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    files.append_jsonl(path, {"a": 1})
    with path.open("a") as handle:
        handle.write('{"a": 2, "tor')
    assert list(files.read_jsonl(path)) == [{"a": 1}]
    files.append_jsonl(path, {"a": 3})
    assert list(files.read_jsonl(path)) == [{"a": 1}, {"a": 3}]


def test_records_survive_parquet(tmp_path: Path) -> None:
    verdicts = [
        Verdict(f"p{i}", i, Status.PARTIAL, Status.WRONG, Status.CORRECT, "boxed", "", "é", i, 3, "why")
        for i in range(2500)
    ]
    path = records.shard_path(tmp_path, "verdicts", 0)
    assert records.write(path, Verdict, iter(verdicts)) == 2500
    assert list(records.read(path, Verdict)) == verdicts


def test_a_torn_shard_is_known_for_one(tmp_path: Path) -> None:
    path = records.shard_path(tmp_path, "verdicts", 0)
    records.write(path, Verdict, [Verdict("p", 0, Status.WRONG, Status.WRONG, Status.WRONG)])
    assert records.is_whole(path)
    path.write_bytes(path.read_bytes()[:-7])
    assert not records.is_whole(path)
    assert not records.is_whole(tmp_path / "missing.parquet")


FULL_DISK = """
import sys
from pathlib import Path
from tpt import records
from tpt.errors import DiskFull
from tpt.records import Status, Verdict
import random, string
text = lambda: "".join(random.choices(string.ascii_letters, k=4000))
rows = (Verdict("p", i, Status.WRONG, Status.WRONG, Status.WRONG, reason=text()) for i in range(3000))
path = Path(sys.argv[1]) / "verdicts-00001.parquet"
try:
    records.write(path, Verdict, rows)
except DiskFull as error:
    print(error.message, "|", error.hint)
print(sorted(p.name for p in path.parent.iterdir()))
"""


def test_a_full_disk_is_said_and_the_finished_shards_stay(tmp_path: Path) -> None:
    """A real full disk: a tmpfs of one MiB, in a mount namespace of its own."""
    records.write(tmp_path / "keep.parquet", Verdict, [Verdict("p", 0, Status.WRONG, Status.WRONG, Status.WRONG)])
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=1m tmpfs {disk} && cp {tmp_path}/keep.parquet {disk}/verdicts-00000.parquet"
    unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    command = [*unshare, "sh", "-c", f'{mount} && exec "$0" -c "$1" {disk}', sys.executable, FULL_DISK]
    probe = subprocess.run([*unshare, "sh", "-c", f"mount -t tmpfs tmpfs {disk}"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no mount namespaces here, so no small disk can be made")
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no space left while writing" in result.stdout
    assert "free some space" in result.stdout
    assert "['verdicts-00000.parquet']" in result.stdout


def test_disk_full_is_the_only_error_that_is_renamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.atomic(tmp_path / "a") as temporary:
        raise FileNotFoundError(temporary)
    with pytest.raises(DiskFull), files.atomic(tmp_path / "a"):
        raise OSError(28, "No space left on device")


def raised_while(cause: BaseException, error: BaseException) -> BaseException:
    """`error` as it is when it was raised while `cause` was handled, as libraries do."""
    try:
        try:
            raise cause
        except BaseException:
            raise error  # noqa: B904  # the libraries do not say from what
    except BaseException as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (raised_while(OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 768")), True),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (RuntimeError("unexpected pos 768"), False),
        (DiskFull("no space left while writing inner", ""), False),
    ],
    ids=["disk", "quota", "as torch", "as safetensors", "broken disk", "something else", "said already"],
)
def test_a_full_disk_is_known_by_whatever_a_library_makes_of_it(tmp_path: Path, error: Exception, full: bool) -> None:
    with pytest.raises(DiskFull if full else type(error)) as caught, explain.named_when_full(tmp_path / "outer"):
        raise error
    assert str(tmp_path / "outer") in str(caught.value) if full else caught.value is error


def test_free_space_is_that_of_the_disk_a_path_would_be_on(tmp_path: Path) -> None:
    tiny, here = Path("/dev/shm"), files.free_space(tmp_path / "not" / "there" / "yet")
    assert here == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    if tiny.is_dir() and tiny.stat().st_dev != tmp_path.stat().st_dev:
        assert files.free_space(tiny / "not" / "there") == pytest.approx(shutil.disk_usage(tiny).free, rel=0.2)
