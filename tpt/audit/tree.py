"""The way back from an example as a tree for a terminal."""

from typing import Any

from rich.text import Text
from rich.tree import Tree

from tpt.audit.trace import NOT_RECORDED

LONGEST = 1200  # characters of a text that is shown


def tree(way: dict[str, Any]) -> Tree:
    """What `trace` found, from the example back to the base model and the problem."""
    root = Tree(Text(f"{way['run']}, round {way['round']}: example {way['number']} of {way['examples']}", style="bold"))
    _example(root, way["example"])
    _training(root, way["training"])
    if way["sample"] is None:
        root.add(Text(way["why"]))
    else:
        _sample(root, way)
        _verdict(root, way["verdict"])
        _prune(root, way["prune"])
    _problem(root, way["problem"])
    return root


def _branch(root: Tree, name: str, line: str, *lines: str) -> Tree:
    branch = root.add(Text.assemble((name, "bold"), f" {line}"))
    for one in lines:
        branch.add(Text(one))
    return branch


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text):,} characters)"


def _example(root: Tree, one: dict[str, Any]) -> None:
    tokens = f"{one['prompt_tokens']} prompt and {one['completion_tokens']} completion tokens"
    kept = f"kept in round {one['kept_in_round']}, source {one['source']}; {tokens}"
    _branch(root, "example", kept, _cut(one["text"]))


def _training(root: Tree, one: dict[str, Any]) -> None:
    if not one["done"]:
        _branch(root, "training", f"{one['stage']} is not done yet")
        return
    if one["left_out_as_too_long"]:
        _branch(
            root, "training", f"{one['stage']}: left out, as it is longer than the model or train.max_length allows"
        )
        return
    tokens = f"{one['trained_tokens']:,} of {one['of_all_trained_tokens']:,} trained tokens"
    prefixes = "computed once for the examples of a batch" if one["shared_prefixes_computed_once"] else "not shared"
    lines = [
        f"{tokens}; {one['weight']}",
        f"{one['steps']} optimizer steps over {one['examples']} examples, {one['batch_size']} in a step",
        f"beginnings that examples share: {prefixes}; which step it was in is not recorded",
        f"checkpoint digest {one['made']}",
    ]
    if one["thinking"] == "drop":
        lines.insert(1, "train.thinking=drop: its thinking was not trained on, so it is fewer tokens than these")
    passes = "trained on once" if one["passes"] == 1 else f"trained on {one['passes']:g} times"
    _branch(root, "training", f"{one['stage']}: {passes} ({one['extent']})", *lines)


def _sample(root: Tree, way: dict[str, Any]) -> None:
    one, seed = way["sample"], way["seed"]
    alike = ", ".join(map(str, one["same_text"]))
    tokens = "the tokens trained on are those sampled" if one["trained_on_its_tokens"] else "encoded again to train"
    branch = _branch(
        root,
        "sample",
        f"{one['index']} of the problem, {one['stage']}/{one['shard']}, row {one['row']}",
        f"{one['prompt_tokens']} prompt and {one['completion_tokens']} completion tokens; {tokens}",
        f"finish reason: {one['finish_reason']}",
        *([f"samples with the same text: {alike}"] if alike else []),
        f"seed {seed['seed']} (stage {seed['of_stage']}, run {seed['of_run']}), temperature {seed['temperature']:g}, "
        f"top_p {seed['top_p']:g}, up to {seed['max_tokens']} tokens",
    )
    for engine in way["engines"]["engines"] or [{}]:
        _engine(branch, engine)
    versions = ", ".join(f"{name} {version}" for name, version in way["engines"]["versions"].items())
    branch.add(Text(f"versions: {versions}"))
    _checkpoints(branch, way["checkpoint"])


def _engine(branch: Tree, engine: dict[str, Any]) -> None:
    if not engine:
        branch.add(Text(f"engine: {NOT_RECORDED}"))
        return
    what = " ".join(str(engine[name]) for name in ("engine", "version", "device", "dtype") if name in engine)
    branch.add(Text(f"engine: {what}; {engine.get('determinism', '')}"))


def _checkpoints(branch: Tree, chain: list[dict[str, Any]]) -> None:
    for one in chain:
        line = f"{one.get('name') or one['model']}, digest {one['digest']}"
        if "examples" in one:
            line += f", finished {one['finished']}, trained on examples {one['examples']}"
        branch = branch.add(
            Text(f"from the checkpoint of {line}" if "stage" in one else f"from {one['model']}: {line}")
        )
        if "origin" in one:
            origin = ", ".join(f"{name} {value}" for name, value in one["origin"].items() if isinstance(value, str))
            branch.add(Text(f"origin: {origin}; licence: {one['licence']}"))


def _verdict(root: Tree, one: dict[str, Any]) -> None:
    lines = [
        f"strict: {one['strict']}, read {one['strict_answer']!r}",
        f"lenient: {one['lenient']}, read {one['lenient_answer']!r} by the rule {one['rule'] or NOT_RECORDED}",
        f"judge {one['judge']}, rules of version {one['rules']} (today's: {one['rules_today']})",
    ]
    if one["total"] > 1 or one["kind"]:
        lines.append(f"{one['passed']} of {one['total']} tests passed; sandbox: {one.get('sandbox', NOT_RECORDED)}")
    if one["reason"]:
        lines.append(f"reason: {one['reason']}")
    _branch(root, "verdict", f"{one['status']} ({one['stage']})", *lines)


def _prune(root: Tree, one: dict[str, Any]) -> None:
    wanted = "all" if one["wanted"] is None else f"{one['wanted']:,}"
    limit = f"at most {one['per_problem']} of a problem" if one["per_problem"] else "any number of a problem"
    _branch(
        root,
        "pruning",
        f"mode {one['mode']}, {one['reader']} reader ({one['stage']})",
        *(["prune.flip reversed its verdict"] if one["flipped"] else []),
        f"draw of {wanted}, {limit}, seed {one['seed']}: {one['kept']:,} kept of {one['candidates']:,} candidates "
        f"({one['duplicates']:,} duplicates)",
        f"number {one['place_in_the_draw']} in the order of the draw",
    )


def _problem(root: Tree, one: dict[str, Any]) -> None:
    _branch(
        root,
        "problem",
        one["id"],
        _cut(one["question"]),
        f"gold: {one['gold'] or 'its tests'}",
        f"source: {one['source']}",
        f"licence: {one['licence']}",
    )
