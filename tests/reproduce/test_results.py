"""What is committed of experiments that were run: the pages say which, and no result is of another command."""

import re
from pathlib import Path

import pytest

from tpt.reproduce import experiment as experiments

FOLDER = experiments.experiments_dir()
ROW = re.compile(r"^\| \[(\w+)\]\(\1/README\.md\) \|.*\| (.+?) \| (.+?) \|$", re.MULTILINE)
RUN = sorted(path.parent.parent.name for path in FOLDER.glob("*/laptop/table.md"))


def test_the_list_names_every_experiment_and_says_which_were_run() -> None:
    listed = {name: at_laptop for name, at_laptop, _ in ROW.findall((FOLDER / "README.md").read_text())}
    assert sorted(listed) == sorted(experiments.names())
    assert sorted(name for name, words in listed.items() if words.startswith("[yes]")) == RUN
    assert {words for words in listed.values() if not words.startswith("[yes]")} <= {"not yet"}


@pytest.mark.parametrize("name", RUN)
def test_a_result_says_how_it_was_made_and_its_pictures_are_there(name: str) -> None:
    table = FOLDER / name / "laptop" / "table.md"
    text, page = table.read_text(), (FOLDER / name / "README.md").read_text()
    assert f"    tpt reproduce {name} scale=laptop\n" in text
    assert re.search(r"^Seed \d+(, \d+)*; sampled by vllm", text, re.MULTILINE)
    assert "## At laptop scale" in page
    assert "(laptop/table.md)" in page
    for file in (table, FOLDER / name / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / link).exists(), link


@pytest.mark.parametrize("name", RUN)
def test_no_result_names_a_folder_of_the_machine_that_made_it(name: str) -> None:
    texts = [path for path in (FOLDER / name / "laptop").rglob("*") if path.suffix in (".md", ".csv", ".json")]
    assert texts
    for path in texts:
        assert not re.search(r"(?<![\w.])/(?:tmp|home|root|work)/", path.read_text()), path
        assert Path(path).stat().st_size < 1_000_000
