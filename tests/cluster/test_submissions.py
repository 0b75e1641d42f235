"""What goes to SLURM beside a job's script, and what is refused before anything does."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.cluster import check, slurm
from tpt.cluster.planning import Plan, Planned
from tpt.cluster.slurm import Nodes
from tpt.cluster.submit import script
from tpt.errors import ClusterError
from tpt.runs.folder import Run
from tpt.settings.config import Config

PARTITION = Nodes("gpu", True, True, None, 2, 64, 500.0, 8)
ENCLOSING = {  # what a job leaves to all that is started in it
    "SLURM_JOB_ID": "7", "SLURM_MEM_PER_CPU": "100", "SLURM_NTASKS": "3", "SLURM_EXPORT_ENV": "NONE",
    "SLURMD_NODENAME": "n1", "SRUN_DEBUG": "3", "CUDA_VISIBLE_DEVICES": "0", "ROCR_VISIBLE_DEVICES": "0",
}  # fmt: skip
ONES_OWN = {  # what users set once and for all, and sbatch would heed more than a script
    "SBATCH_EXPORT": "NONE", "SBATCH_MEM_PER_CPU": "1G", "SBATCH_OUTPUT": "/dev/null", "SBATCH_TIMELIMIT": "5",
    "SQUEUE_PARTITION": "other", "SINFO_FORMAT": "%P", "SACCT_FORMAT": "JobID", "SCANCEL_INTERACTIVE": "1",
}  # fmt: skip
KEPT = {"SLURM_CONF": "/etc/slurm.conf", "SLURM_CLUSTERS": "big", "HF_TOKEN": "x", "BASH_FUNC_module%%": "() {\n :\n}"}


@pytest.fixture
def plan(tiny_config: Callable[..., Config]) -> Callable[..., list[Planned]]:
    """The jobs of a run of one round, not submitted."""

    def make(*overrides: str) -> list[Planned]:
        return Plan([Run.of(tiny_config("cluster=slurm", "rounds=1", *overrides))], {}).jobs

    return make


def of_kind(planned: list[Planned], kind: str) -> Planned:
    return next(one for one in planned if one.job.kind == kind)


def test_slurms_commands_see_nothing_of_an_enclosing_job_nor_of_variables_that_rank_above_a_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**ENCLOSING, **ONES_OWN, **KEPT}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ODD", "\udcff'\n\"$x")  # bytes that are not UTF-8
    before = dict(os.environ)
    found = slurm.environment()
    assert before.keys() - found.keys() == {*ENCLOSING, *ONES_OWN}
    assert all(found[name] == before[name] for name in found)
    with slurm.clean_environment():
        assert dict(os.environ) == found
    assert dict(os.environ) == before


def test_gpus_that_a_user_has_chosen_outside_of_a_job_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert slurm.environment()["CUDA_VISIBLE_DEVICES"] == "1"


def test_all_commands_ask_the_cluster_that_a_user_submits_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBATCH_CLUSTERS", "big")
    assert slurm.environment()["SLURM_CLUSTERS"] == "big"


def test_where_jobs_go_is_what_the_user_has_set_for_all_of_sbatch_unless_a_setting_says_so(
    plan: Callable[..., list[Planned]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("partition", "account", "qos", "constraint", "reservation", "wckey"):
        monkeypatch.setenv(f"SBATCH_{name.upper()}", f"my-{name}")
    jobs = plan("cluster.account=nlp", "cluster.train.partition=big", "cluster.train.extra={reservation: theirs}")
    think, train = script(of_kind(jobs, "think")), script(of_kind(jobs, "train"))
    for line in ("partition=my-partition", "qos=my-qos", "constraint=my-constraint", "wckey=my-wckey"):
        assert f"#SBATCH --{line}\n" in think
    assert "#SBATCH --account=nlp\n" in think
    assert "#SBATCH --reservation=my-reservation\n" in think
    assert "#SBATCH --partition=big\n" in train
    assert "#SBATCH --reservation=theirs\n" in train


def test_more_nodes_than_a_partition_has_are_refused_by_the_settings_name(plan: Callable[..., list[Planned]]) -> None:
    train = of_kind(plan("train.nodes=3", "cluster.gpus=false"), "train")
    with pytest.raises(ClusterError, match=r"train\.nodes=3 is more than the 2 that partition gpu has") as caught:
        check._check_nodes(train, [PARTITION])
    assert "train.nodes=2" in caught.value.hint


def test_a_partition_of_the_environment_is_looked_up_like_one_of_the_settings(
    plan: Callable[..., list[Planned]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "gpux")
    with pytest.raises(ClusterError, match="there is no partition 'gpux' here"):
        check._check_nodes(plan()[0], [PARTITION])


@pytest.mark.parametrize(
    ("folder", "word"),
    [
        ("100%j", "%"),
        ("back\\slash", "a backslash"),
        ("a:b", "a colon"),
        ("two\nlines", "a line break"),
        ("L\udcfcufe", "bytes that are not UTF-8"),
    ],
)
def test_a_path_that_slurm_or_python_would_read_otherwise_is_refused(
    tiny_config: Callable[..., Config], tmp_path: Path, folder: str, word: str
) -> None:
    config = tiny_config("cluster=slurm")
    config.run_root = str(tmp_path / folder)
    with pytest.raises(ClusterError, match=f"cannot use a path with {word}:"):
        check.check_path(Run.of(config))


def test_other_paths_are_not(tiny_config: Callable[..., Config], tmp_path: Path) -> None:
    config = tiny_config("cluster=slurm")
    config.run_root = str(tmp_path / 'it\'s "ü" #1, (b)[c]{d} = $x `y`; ~ &')
    check.check_path(Run.of(config))


@pytest.mark.parametrize(
    ("option", "hint"),
    [("output: x", "leave it out"), ("open_mode: truncate", "leave it out"), ("time: 5", "minutes=")],
)
def test_options_that_every_job_is_given_are_not_given_twice(
    plan: Callable[..., list[Planned]], option: str, hint: str
) -> None:
    think = of_kind(plan(f"cluster.think.extra={{{option}}}"), "think")
    with pytest.raises(ClusterError, match="tpt sets --") as caught:
        check._check_options(think)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("sbatch: unrecognized option '--nodlist=n1'\nTry \"sbatch --help\" for more information\n", "unrecognized"),
        ("sbatch: error: bad\nsbatch: error: Batch job submission failed: Invalid account\n\n", "Invalid account"),
        ("some wrapper's words\n", "some wrapper's words"),
        ("", "no reason given"),
    ],
)
def test_of_what_a_command_says_the_reason_is_shown(said: str, why: str) -> None:
    assert why in slurm.reason("sbatch", said)


@pytest.mark.parametrize(
    ("job", "ids"),
    [
        ("12", ["12"]),
        ("13_0", ["13_0"]),
        ("13_[2-4,7%2]", ["13_2", "13_3", "13_4", "13_7"]),
        ("13_[0-5,...]", []),
    ],
)
def test_accountings_ids_are_taken_apart(job: str, ids: list[str]) -> None:
    assert slurm._tasks(job) == ids
