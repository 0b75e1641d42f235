"""A real run, sampled and trained, agrees with itself; and a rule that is raised is followed to what is owed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.audit import verify
from tpt.audit.recorded import Recorded
from tpt.audit.tools import Tools
from tpt.audit.trace import trace
from tpt.cli import main
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

Captured = pytest.CaptureFixture[str]


@pytest.mark.slow
def test_a_real_run_agrees_and_its_examples_lead_back(
    tiny_command: Callable[..., list[str]], warm_stages: None, tmp_path: Path, capsys: Captured
) -> None:
    assert main(tiny_command("rounds=2", "prune.accumulate=true", "task.dev_size=4")) == 0
    [root] = find(tmp_path / "runs")
    run = Recorded.open(root)
    findings = verify.verify(run, Tools())
    assert [one for one in findings if one.differs or one.why_not] == []
    assert {one.check for one in findings if one.checked} == {*(check.name for check in verify.CHECKS), "books"}
    first, later = trace(run, 2, 1), trace(run, 2, trace(run, 2, 1)["examples"])
    assert (first["example"]["kept_in_round"], later["example"]["kept_in_round"]) == (1, 2), "rounds accumulate"
    assert [one["model"] for one in later["checkpoint"]] == ["round 1", "base"]
    assert first["engines"]["engines"][0]["engine"] == "transformers"
    assert first["training"]["of_all_trained_tokens"] > first["training"]["trained_tokens"] > 0
    capsys.readouterr()
    assert main(["rejudge", str(root)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing must be trained again" in said
    assert Run.open(root).done(Stage(2, "evaluate"))
