"""A copy of the package with one more line: the place of a stage of another package in a round."""

import os
import shutil
from pathlib import Path

import tpt

PACKAGE = Path(tpt.__file__).parent
# The whole change to the package.
BEFORE, AFTER = "    PRUNE,\n    TRAIN,\n", '    PRUNE,\n    "augment.spec:AUGMENT",\n    TRAIN,\n'


def augmented(folder: Path, warm_imports: dict[str, str]) -> dict[str, str]:
    """Make the copy.

    Args:
        folder: a new one, which gets the package, its configs, and the stage (`augment`).
        warm_imports: variables with which stages start at once.

    Returns:
        these, with which Python also imports the copy.
    """
    shutil.copytree(PACKAGE, folder / "tpt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE.parent / "conf", folder / "conf")
    shutil.copytree(Path(__file__).with_name("augment"), folder / "augment")
    table = folder / "tpt" / "runs" / "table.py"
    assert table.read_text().count(BEFORE) == 1
    table.write_text(table.read_text().replace(BEFORE, AFTER))
    path = os.pathsep.join([warm_imports["PYTHONPATH"], str(folder)])
    return {**warm_imports, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
