"""The images' definitions: what they name is there, and both do the same. Building them needs a network and a GPU."""

import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "containers"
INSTRUCTIONS = {"FROM", "COPY", "ARG", "RUN", "ENV", "CMD"}


def docker() -> list[list[str]]:
    """The instructions of the Dockerfile, as words."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines() if line]


def apptainer() -> dict[str, list[str]]:
    """The sections of Apptainer's definition; the header is the section ""."""
    found: dict[str, list[str]] = {"": []}
    for line in (FOLDER / "tpt.def").read_text().splitlines():
        if line.startswith("%"):
            found[line.removeprefix("%")] = []
        elif line.strip() and not line.startswith("#"):
            found[list(found)[-1]].append(line.strip())
    return found


def copied() -> dict[str, str]:
    """Where each file or folder of the checkout comes to lie in Docker's image."""
    found: dict[str, str] = {}
    for word, *arguments in docker():
        if word == "COPY":
            *sources, target = arguments
            found |= {one: f"{target}{one}" if target.endswith("/") else target for one in sources}
    return found


def test_what_the_definitions_copy_is_there_and_the_same_and_not_ignored() -> None:
    assert {word for word, *_ in docker()} <= INSTRUCTIONS
    assert copied() == dict(line.split() for line in apptainer()["files"])
    assert [one for one in copied() if not (ROOT / one).exists()] == []
    kept = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    assert {one.removeprefix("!") for one in kept if one.startswith("!")} == set(copied())


def test_both_build_on_the_same_system_with_the_same_extras_and_the_same_path() -> None:
    image = next(words[1] for words in docker() if words[0] == "FROM")
    assert f"From: {image}" in apptainer()[""]
    extras = next(words[1] for words in docker() if words[0] == "ARG")
    assert apptainer()["arguments"] == [extras]
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert set(extras.removeprefix("EXTRAS=").split(",")) <= set(settings["options.extras_require"])
    path = next(word for words in docker() for word in words if word.startswith("PATH="))
    assert f"export {path}" in apptainer()["environment"]


def test_the_script_of_both_can_be_read_and_installs_what_the_sandbox_needs() -> None:
    script = FOLDER / "install.sh"
    subprocess.run(["sh", "-n", str(script)], check=True)
    [sandbox] = re.findall(r"^SANDBOX := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    [packages] = re.findall(r"install -y .*?\\\n(.*)$", script.read_text(), re.MULTILINE)
    assert set(sandbox.split()) <= set(packages.split())


@pytest.mark.parametrize("section", ["post", "environment", "runscript", "test"])
def test_apptainers_sections_are_shell(section: str) -> None:
    lines = "\n".join(apptainer()[section]).replace("{{ EXTRAS }}", "vllm")
    subprocess.run(["sh", "-n", "-c", lines], check=True)
