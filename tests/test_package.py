"""What a user installs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_holds_the_configs_and_the_page_and_works_without_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("think_prune_train-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.endswith(".yaml")}
        archive.extractall(tmp_path / "site")
    folders = ("conf", "experiments")
    expected = {f"tpt/{path.relative_to(ROOT)}" for folder in folders for path in (ROOT / folder).rglob("*.yaml")}
    assert shipped == expected
    assert {path.name for path in (tmp_path / "site/tpt/report/page").iterdir()} >= {"page.html", "page.css", "page.js"}
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"}
    for words, shown in (
        (["config", "model=gemma2-2b", "sampler=transformers"], "google/gemma-2-2b-it"),
        (["reproduce"], "judge_reliability"),
    ):
        command = [sys.executable, "-m", "tpt.cli", *words]
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
        assert shown in result.stdout


def test_help_starts_without_heavy_imports() -> None:
    code = (
        "import sys, tpt.cli; tpt.cli.parser(); print([m for m in ('torch', 'hydra', 'pyarrow') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
