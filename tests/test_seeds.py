"""What runs that differ only in their seed share, and that a run with seed 0 is what it always was."""

from collections.abc import Callable

import pytest

from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.loaded import load

BASELINE, SAMPLES = Stage(0, "evaluate"), Stage(1, "think")
REST = [Stage(1, "prune"), Stage(1, "train"), Stage(1, "evaluate"), Stage(2, "think")]


def shared(one: Run, other: Run) -> list[Stage]:
    found = [stage for stage in one.stages() if one.fingerprint(stage) == other.fingerprint(stage)]
    drawn = [stage for stage in found if table.of(stage).seeded]
    assert all(one.seed(stage) == other.seed(stage) for stage in drawn), "what is shared is drawn alike"
    return found


@pytest.mark.parametrize(
    ("shares", "expected"), [("nothing", []), ("baseline", [BASELINE]), ("samples", [BASELINE, SAMPLES])]
)
def test_runs_of_several_seeds_share_what_is_asked_for_and_train_anew(
    tiny_config: Callable[..., Config], shares: str, expected: list[Stage]
) -> None:
    one, other, third = (Run.of(tiny_config("rounds=2", f"seed={seed}", f"seeds_share={shares}")) for seed in range(3))
    for first, second in ((one, other), (other, third)):
        found = shared(first, second)
        assert [stage for stage in (BASELINE, SAMPLES) if stage in found] == expected
        assert not set(REST) & set(found)
        assert first.name != second.name


def test_the_default_run_is_the_one_it_was_before_seeds_could_share(tiny_config: Callable[..., Config]) -> None:
    run = Run.of(tiny_config("seed=0"))
    assert (run.name[-8:], run.fingerprint(BASELINE)[:6], run.seed(BASELINE)) == ("a5f056a3", "ed181c", 95245727)


def test_a_run_folder_that_knows_nothing_of_shared_seeds_is_still_read(tiny_config: Callable[..., Config]) -> None:
    run = Run.create(tiny_config())
    text = run.config_path.read_text()
    run.config_path.write_text("".join(line for line in text.splitlines(True) if not line.startswith("seeds_share")))
    assert load(run.config_path).seeds_share == "baseline"
    assert Run.open(run.root).name == run.name
