"""What is checked before hours are spent."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huge_model import checkpoint_of

from tpt.artefacts import Prepared
from tpt.errors import ConfigError, DataError, DiskFull, ModelError
from tpt.models import context_length
from tpt.progress import Progress
from tpt.records import Problem, read
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.stages.prepare import check_disk, prepare

Make = Callable[..., Config]
PREPARE = Stage(0, "prepare")


def prepared(config: Config) -> Run:
    run = Run.create(config)
    run.finish(PREPARE, prepare(run, PREPARE, Progress()), 0.0)
    return run


def test_the_problems_are_written_and_the_model_is_found(tiny_config: Make, tiny_model: Path) -> None:
    run = prepared(tiny_config())
    assert sum(1 for _ in read(run.problems_path("train"), Problem)) == 12
    assert sum(1 for _ in read(run.problems_path("test"), Problem)) == 6
    assert run.base_model() == tiny_model.resolve()
    assert run.results(PREPARE, Prepared)["model"]["fingerprint"]


def test_a_context_too_short_names_the_problems_and_how_many(tiny_config: Make) -> None:
    with pytest.raises(ConfigError) as caught:
        prepared(tiny_config("model.context=200"))
    assert "6 of 6 test prompts" in caught.value.message
    assert "word_problems/test/0" in caught.value.message
    assert "task.few_shot" in caught.value.hint


def test_a_context_beyond_the_models_is_refused(tiny_config: Make, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="2048"):
        context_length(tiny_model, tiny_config("model.context=4096").model)


def test_a_question_in_both_splits_is_refused(tiny_config: Make, tmp_path: Path) -> None:
    rows = [{"question": f"What is {i} + 1?", "answer": f"#### {i + 1}"} for i in range(9)]
    for name, some in (("train", rows[:6]), ("test", rows[5:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    local = ["task=gsm8k", f"task.path={tmp_path}", "task.test_size=null", "task.train_size=null"]
    with pytest.raises(DataError, match="1 questions are in the training and in the test split"):
        prepared(tiny_config(*local))


def test_adapters_for_layers_that_the_model_has_not_are_refused_before_anything_is_sampled(tiny_config: Make) -> None:
    with pytest.raises(ConfigError, match=r"(?s)c_attn.*train\.lora\.targets=\[all-linear\].*down_proj.*q_proj"):
        prepared(tiny_config("train.lora.rank=4", "train.lora.targets=[c_attn]"))


def test_a_disk_too_small_for_the_checkpoints_is_said_before_the_run(tiny_config: Make, tmp_path: Path) -> None:
    """4 bytes a parameter each round, and two checkpoints of 12 while the last one is trained."""
    model = checkpoint_of(tmp_path, parameters=2**38)
    run = Run.create(tiny_config("rounds=3"))
    needed = (2 * 4 + 2 * 12) * 2**38 / 2**30
    with pytest.raises(DiskFull, match=rf"3 rounds of tiny-random need about {needed:.1f} GiB more under"):
        check_disk(run, model)
    check_disk(Run.create(tiny_config("rounds=0")), model)


def test_what_is_on_the_disk_already_is_not_needed_again(tiny_config: Make, tmp_path: Path) -> None:
    model = checkpoint_of(tmp_path, parameters=2**38)
    run = Run.create(tiny_config("rounds=2"))
    run.finish(Stage(1, "train"), {}, 0.0)
    begun = run.folder(Stage(2, "train")) / "checkpoints" / "step=50.ckpt"
    begun.parent.mkdir(parents=True)
    with begun.open("wb") as handle:
        handle.truncate(12 * 2**38)  # a checkpoint of an interrupted training, of which nothing is stored
    with pytest.raises(DiskFull, match=rf"1 round of tiny-random need about {12 * 2**8:.1f} GiB more under"):
        check_disk(run, model)
    run.finish(Stage(2, "train"), {}, 0.0)
    check_disk(run, model)


def test_a_model_that_is_gone_is_said(tiny_config: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        prepared(tiny_config("model.source=hub", f"model.path={tmp_path / 'none'}"))


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def with_models(config: Config, base: Path | None = None, teacher: Path | None = None) -> Config:
    if base:
        config.model = ModelConfig(name="mine", source="hub", path=str(base))
    if teacher:
        config.think.teacher = ModelConfig(name="teacher", source="hub", path=str(teacher))
    return config


def test_quantised_weights_are_not_trained_and_only_vllm_samples_from_them(tiny_config: Make, copy: Path) -> None:
    change(copy / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(ModelError, match=r"mine is quantised \(gptq\), and quantised weights cannot be fine-tuned"):
        prepared(with_models(tiny_config(), copy))
    for config in (with_models(tiny_config("rounds=0"), copy), with_models(tiny_config("seed=1"), teacher=copy)):
        with pytest.raises(ModelError, match="transformers engine does not sample from") as caught:
            prepared(config)
        assert "sampler=vllm" in caught.value.hint
    by_vllm = with_models(tiny_config("rounds=0"), copy)
    by_vllm.sampler.engine = "vllm"
    assert prepared(by_vllm).base_model() == copy


@pytest.mark.parametrize("role", ["base", "teacher"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda one: (one / "model.safetensors").write_bytes(b"torn"), "is damaged or cut off"),
        (lambda one: (one / "tokenizer.json").write_text("{}"), "tokenizer.json has missing or invalid entries: model"),
        (lambda one: (one / "chat_template.jinja").write_text("{{ raise_exception('No.') }}"), "refuses this .*: No"),
        (lambda one: (one / "generation_config.json").write_text("{"), "is not valid JSON"),
    ],
    ids=["weights", "tokenizer", "template", "generation config"],
)
def test_a_model_that_cannot_be_used_is_said_before_anything_is_sampled(
    tiny_config: Make, copy: Path, role: str, damage: Callable[[Path], object], said: str
) -> None:
    damage(copy)
    with pytest.raises(ModelError, match=said):
        prepared(with_models(tiny_config(), **{role: copy}))


def test_a_model_that_names_no_end_token_is_refused(tiny_config: Make, copy: Path) -> None:
    change(copy / "tokenizer_config.json", eos_token=None)
    for name in ("config.json", "generation_config.json"):
        change(copy / name, eos_token_id=None)
    with pytest.raises(ModelError, match="names no token that ends a completion"):
        prepared(with_models(tiny_config(), copy))


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox")
def test_problems_that_cannot_be_judged_are_set_aside_counted_and_listed(tiny_config: Make, tmp_path: Path) -> None:
    def contest(name: str, printed: str) -> str:
        tests = {"input": ["1\n"], "output": ["2\n"]}
        row = {"name": name, "description": f"{name}: print 2.", "public_tests": tests, "private_tests": None}
        solutions = {"language": [3], "solution": [f"print({printed})"]}
        return json.dumps(row | {"generated_tests": None, "solutions": solutions}) + "\n"

    (tmp_path / "train.jsonl").write_text(contest("good", "2") + contest("bad", "3"))
    (tmp_path / "test.jsonl").write_text(contest("other", "2"))
    sizes = ["task.train_size=null", "task.test_size=null", "prune.examples=2"]
    run = prepared(tiny_config("task=code_contests", f"task.path={tmp_path}", *sizes, "evaluate.samples_per_problem=2"))
    assert [one.id for one in read(run.problems_path("train"), Problem)] == ["code_contests/train/good"]
    results = run.results(PREPARE, Prepared)
    assert (results["train"], results["test"], results["set_aside"], results["sandbox"]) == (1, 1, 1, "bwrap")
    [warning] = results["warnings"]
    listed = json.loads(Path(warning.rpartition(": ")[2]).read_text())
    assert listed == [{"id": "code_contests/train/bad", "reason": "a reference fails test 1: wrong answer"}]

    (tmp_path / "train.jsonl").write_text(contest("bad", "3"))
    with pytest.raises(DataError, match="no train problem can be judged; the first: code_contests/train/bad"):
        prepared(tiny_config("task=code_contests", f"task.path={tmp_path}", *sizes, "evaluate.samples_per_problem=2"))
