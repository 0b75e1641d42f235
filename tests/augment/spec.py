"""The declaration of the stage, apart from its function: the table of stages imports it."""

from tpt import artefacts
from tpt.runs import identity, table
from tpt.runs.stage import Stage, StageSpec
from tpt.settings.config import Config

MARKED = "marked"  # the marked copies, in shards


def _inputs(_: Config, stage: Stage) -> list[Stage]:
    return [table.before(stage)]


AUGMENT = StageSpec(
    name="augment",
    function="augment.stage:augment",
    inputs=_inputs,
    made=lambda folder, _: identity.of_files([folder / artefacts.EXAMPLES]),
    progress_files=(artefacts.shards(MARKED),),
    plan=lambda *_: "each example once more, marked",
    outcome=lambda results: f"{results['marked']} marked copies",
    columns=lambda _, results: {"marked copies": results["marked"]},
)
