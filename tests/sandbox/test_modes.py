"""The sandbox's own files can be read by the user whom solutions run as, whatever the modes around them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpt.errors import SandboxError
from tpt.sandbox import command
from tpt.sandbox.command import Sandbox
from tpt.sandbox.probe import probe
from tpt.sandbox.worker import Worker

pytestmark = [
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root's solutions run as another user"),
]


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that only we can enter, under a umask that makes files private."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0o077)
    yield tmp_path
    os.umask(before)


def test_a_private_umask_and_a_private_folder_for_temporary_files_are_no_hindrance(private: Path) -> None:
    sandbox = Sandbox()
    try:
        with Worker(sandbox) as worker:
            probe(worker)
        assert all(path.stat().st_mode & 0o004 for path in sandbox.folder.rglob("*"))
    finally:
        sandbox.close()


def test_no_folder_that_another_user_can_enter_is_said(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "OPEN", ())
    with pytest.raises(SandboxError, match="the user nobody, who can enter none of") as caught:
        Sandbox()
    assert "TMPDIR" in caught.value.hint


def test_files_that_solutions_cannot_read_are_not_taken_for_missing_namespaces() -> None:
    sandbox = Sandbox()
    sandbox.folder.chmod(0o700)
    try:
        with Worker(sandbox) as worker, pytest.raises(SandboxError, match="Permission denied") as caught:
            probe(worker)
    finally:
        sandbox.close()
    assert "TMPDIR" in caught.value.hint
    assert "namespaces" not in caught.value.hint
