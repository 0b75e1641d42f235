"""The control group that bounds a worker's sandboxes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpt.sandbox import group
from tpt.sandbox.command import Sandbox
from tpt.sandbox.worker import Limits, Program, Stop, Worker

V1 = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of groups as the kernel shows it: user/session/shell hand memory down as far as session."""
    monkeypatch.setattr(group, "_REMOVE_SECONDS", 0)  # in a plain folder, files stay
    for folder, down in (
        ("", "memory pids"),
        ("user", "memory"),
        ("user/session", "memory"),
        ("user/session/shell", ""),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.subtree_control").write_text(f"{down}\n")
        (tmp_path / folder / "memory.max").write_text("max\n")
    return tmp_path


def place(root: Path, own: str = "/user/session/shell") -> Path | None:
    return group.place(f"{V1}cgroup2 {root} cgroup2 rw 0 0\n", f"4:memory:/elsewhere\n0::{own}\n")


def test_groups_are_made_in_the_nearest_group_that_hands_memory_down(root: Path) -> None:
    assert place(root) == root / "user/session"
    assert place(root, "/") == root


def test_no_process_leaves_a_group_that_limits_its_memory(root: Path) -> None:
    (root / "user/session/shell/memory.max").write_text("1000000\n")
    assert place(root) is None


def test_a_group_whose_processes_may_not_be_moved_is_passed_over(root: Path) -> None:
    (root / "user/session/cgroup.subtree_control").write_text("pids\n")
    assert place(root) == root / "user"


def test_without_memory_in_the_second_version_there_are_no_groups(root: Path) -> None:
    for path in root.rglob("cgroup.subtree_control"):
        path.write_text("hugetlb\n")
    assert place(root) is None
    assert group.place(V1, "4:memory:/\n") is None
    assert group.place(f"cgroup2 {root} cgroup2 rw 0 0\n", "0::/../gone\n") is None


@pytest.fixture
def bounded() -> Iterator[Sandbox]:
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed: make sandbox")
    sandbox = Sandbox()
    try:
        if not sandbox.groups:
            pytest.skip("no control group that limits memory (cgroup v2) can be made here")
        yield sandbox
    finally:
        sandbox.close()


def test_the_kernel_ends_what_the_watcher_cannot_see(bounded: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "ROOM", -900 * 2**20)
    with Worker(bounded) as worker:
        program = Program(b"x = b'x' * (800 * 2**20)\nprint(7)")
        ran = worker.run(program, b"", Limits(cpu=10, wall=30, memory=2**30, output=2**20))
    assert (ran.stop, ran.stdout) == (Stop.MEMORY, b"")
    assert not list(bounded.groups.glob("tpt-judge-*"))  # type: ignore[union-attr]  # it is there
