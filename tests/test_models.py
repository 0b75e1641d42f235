"""Models are found, fetched or built; where they cannot be, the error says what is missing."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tpt import files, models
from tpt.checkpoint import load_tokenizer, quantization, skeleton
from tpt.errors import ModelError
from tpt.models.cache import build_once
from tpt.models.wheel import PACKAGES, check_sha256
from tpt.prompt import end_ids
from tpt.settings.model import ModelConfig

RANDOM = ModelConfig(name="tiny-random", source="random")


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def hub(path: str | Path, **values: object) -> ModelConfig:
    return ModelConfig(name="mine", source="hub", path=str(path), **values)  # type: ignore[arg-type]  # any setting


def test_a_folder_with_a_checkpoint_is_taken_as_it_is(copy: Path) -> None:
    assert models.locate(hub(copy)) == copy


@pytest.mark.parametrize(
    ("missing", "named"),
    [("model.safetensors", "weights"), ("config.json", "config.json"), ("tokenizer.json", "tokenizer")],
)
def test_a_folder_that_lacks_something_is_refused_by_name(copy: Path, missing: str, named: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(ModelError, match=f"lacks .*{named}"):
        models.locate(hub(copy))


def test_a_missing_part_of_the_weights_is_named(copy: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    files.write_json(copy / "model.safetensors.index.json", index)
    with pytest.raises(ModelError, match=r"lacks model-00002-of-00002\.safetensors") as caught:
        models.locate(hub(copy))
    assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:-100], "not fully covered"),
        (lambda whole: whole + b"more", "not fully covered"),
        (lambda whole: whole[:8] + b"x" * (len(whole) - 8), "header"),
        (lambda whole: b"", "header"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a git-lfs pointer"),
    ],
    ids=["truncated", "too long", "broken header", "empty", "git-lfs pointer"],
)
@pytest.mark.parametrize("name", ["model.safetensors", "model-00002-of-00002.safetensors"])
def test_a_damaged_file_of_weights_is_refused_by_name(
    copy: Path, damage: Callable[[bytes], bytes], said: str, name: str
) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    files.write_json(copy / models.INDEX, {"weight_map": {"a": "model.safetensors", "b": name}})
    (copy / name).write_bytes(damage(whole))
    with pytest.raises(ModelError, match=rf"{re.escape(name)} is .*{said}"):
        models.locate(hub(copy))


@pytest.mark.parametrize("name", ["config.json", models.INDEX, "tokenizer.json", "generation_config.json"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{"model_type": "lla', "is not valid JSON: Unterminated"),
        (b"[" * 100_000, "is not valid JSON: maximum recursion depth"),
        ('{"é": 1}'.encode("latin-1"), "is not UTF-8 text"),
        (b"[]", "does not contain a JSON object"),
        (b"null", "does not contain a JSON object"),
    ],
    ids=["empty", "torn", "deep", "latin-1", "a list", "null"],
)
def test_a_damaged_json_file_is_refused_by_name(copy: Path, name: str, content: bytes, said: str) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{re.escape(str(copy / name))} {said}") as caught:
        end_ids(load_tokenizer(models.locate(hub(copy))), copy, hub(copy))
    assert caught.value.hint == "copy or download the file again"


@pytest.mark.parametrize("value", [None, "x", [1], {"a": 5}])
def test_an_index_that_names_no_files_is_refused(copy: Path, value: object) -> None:
    files.write_json(copy / models.INDEX, {"weight_map": value})
    with pytest.raises(ModelError, match=r"the weight_map of .*index\.json does not name a file for each tensor"):
        models.locate(hub(copy))


@pytest.mark.parametrize("value", ["x", [1], {"quantization_config": "x"}])
def test_a_part_of_a_config_of_another_kind_than_it_should_be_is_refused(copy: Path, value: object) -> None:
    config = files.read_json(copy / "config.json")
    files.write_json(copy / "config.json", config | {"text_config": value})
    with pytest.raises(ModelError, match="transformers cannot load the model in") as caught:
        assert quantization(copy) in ("", "x")
        skeleton(copy)
    assert "check its config.json" in caught.value.hint


def test_a_tokenizer_that_git_lfs_has_not_fetched_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match=r"tokenizer\.json is a git-lfs pointer") as caught:
        models.locate(hub(copy))
    assert "git lfs pull" in caught.value.hint


def test_a_folder_of_adapters_is_no_model(copy: Path) -> None:
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="contains adapters") as caught:
        models.locate(hub(copy))
    assert "merge" in caught.value.hint


def test_weights_that_transformers_does_not_read_are_not_counted(copy: Path) -> None:
    shutil.copy(copy / "model.safetensors", copy / "consolidated.safetensors")
    assert models.describe(copy)["parameters"] == 115_008
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    index = {"weight_map": dict.fromkeys(("a", "b"), "model-00001-of-00001.safetensors")}
    files.write_json(copy / models.INDEX, index)
    assert models.describe(copy)["parameters"] == 115_008


def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        models.locate(hub(tmp_path / "nothing"))


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub whose port nobody listens to, and an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("no_hub")
def test_a_hub_that_cannot_be_reached_is_an_error_with_a_way_out() -> None:
    with pytest.raises(
        ModelError, match="owner/name is not on this machine and the model hub cannot be reached"
    ) as caught:
        models.locate(hub("owner/name"))
    assert "model.path=FOLDER" in caught.value.hint


@pytest.mark.usefixtures("no_hub")
def test_a_name_that_no_hub_could_have_is_refused() -> None:
    with pytest.raises(ModelError, match=r"neither a folder nor a hub id \(OWNER/NAME\)"):
        models.locate(hub("a/b/c"))


def test_what_the_hub_answers_is_told_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small server that answers as the hub does for gated, missing and private models."""
    from huggingface_hub import constants

    answers = {
        "gated/model": (403, "GatedRepo"),
        "no/model": (404, "RepoNotFound"),
        "no/revision": (404, "RevisionNotFound"),
    }

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, reason = next((answer for name, answer in answers.items() if name in self.path), (200, ""))
            self.send_response(code)
            self.send_header("X-Error-Code", reason)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", constants.ENDPOINT)
    try:
        for path, said in (
            ("gated/model", "is gated"),
            ("no/model", "neither a folder nor a model on the hub"),
            ("no/revision", "the hub has no no/revision at revision v9"),
        ):
            with pytest.raises(ModelError, match=said):
                models.locate(hub(path, revision="v9" if "revision" in path else None))
    finally:
        server.shutdown()


def test_the_context_is_what_the_user_sets_within_what_the_model_was_made_for(copy: Path) -> None:
    assert models.context_length(copy, RANDOM) == 2048
    assert models.context_length(copy, hub(copy, context=512)) == 512
    with pytest.raises(ModelError, match="more than the 2048"):
        models.context_length(copy, hub(copy, context=4096))


def configured(folder: Path, **settings: Any) -> Path:
    """A folder with no more than a model's config."""
    files.write_json(folder / "config.json", settings)
    return folder


def test_a_model_that_names_no_context_asks_for_one(tmp_path: Path) -> None:
    mamba = configured(tmp_path, model_type="mamba")
    with pytest.raises(ModelError, match="names no context length"):
        models.context_length(mamba, RANDOM)
    assert models.context_length(mamba, hub(mamba, context=512)) == 512


def test_the_context_of_a_longrope_model_ends_where_its_other_factors_begin(tmp_path: Path) -> None:
    """Above it vLLM takes the long factors for every text, and training the short ones for the short texts."""
    stretched = configured(
        tmp_path,
        model_type="phi3",
        hidden_size=32,
        num_attention_heads=4,
        max_position_embeddings=131072,
        original_max_position_embeddings=4096,
        rope_scaling={"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [9.0] * 4},
    )
    assert models.context_length(stretched, RANDOM) == 4096
    assert models.context_length(stretched, hub(stretched, context=2048)) == 2048
    with pytest.raises(ModelError, match=r"more than the 4096 .* before LongRoPE stretched it"):
        models.context_length(stretched, hub(stretched, context=8192))


def test_a_multimodal_models_context_is_that_of_its_language_model(tmp_path: Path) -> None:
    """As Gemma 3 has it: what is at its default is not in the file."""
    text = {"model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 2, "sliding_window": 1024}
    gemma = configured(tmp_path, model_type="gemma3", text_config=text, vision_config={"hidden_size": 32})
    assert models.context_length(gemma, RANDOM) == 131072
    assert models.text_config(gemma).sliding_window == 1024
    said = configured(tmp_path, model_type="gemma3", text_config=text | {"max_position_embeddings": 8192})
    assert models.context_length(said, RANDOM) == 8192


def test_a_learned_number_of_positions_is_a_context(tmp_path: Path) -> None:
    assert models.context_length(configured(tmp_path, model_type="gpt2", n_positions=1024), RANDOM) == 1024


def test_a_kind_of_model_that_transformers_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nosuchmodel"):
        models.context_length(configured(tmp_path, model_type="nosuchmodel"), RANDOM)


def test_a_description_counts_parameters_and_tells_weights_apart(copy: Path) -> None:
    before = models.describe(copy)
    assert before["parameters"] == 115_008
    assert before["origin"] == {"source": "random", "seed": 0}
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    after = models.describe(copy)
    assert after["fingerprint"] != before["fingerprint"]
    assert {name: after[name] for name in ("parameters", "context", "weight_bytes")} == {
        "parameters": 115_008,
        "context": 2048,
        "weight_bytes": weights.stat().st_size,
    }


def test_the_origin_of_a_hub_snapshot_is_its_repository_and_commit(copy: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "abc123"
    shutil.copytree(copy, snapshot, ignore=shutil.ignore_patterns("origin.json"))
    assert models.describe(snapshot)["origin"] == {"source": "hub", "repo": "owner/name", "revision": "abc123"}


def test_the_random_model_loads_and_ends_a_turn_with_its_end_token(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    turns = [{"role": "user", "content": "Tom has 31 apples, naïve £5."}]
    text = str(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert text == "<|im_start|>user\nTom has 31 apples, naïve £5.<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(ids) == text
    ends = {tokenizer.convert_tokens_to_ids("<|im_end|>"), tokenizer.eos_token_id, model.generation_config.eos_token_id}
    assert len(ends) == 1
    logits = model(torch.tensor([ids])).logits
    assert logits.shape == (1, len(ids), 512) and bool(torch.isfinite(logits).all())


def build_twice_at_once(cache: Path) -> list[Path]:
    code = (
        "from tpt.settings.model import ModelConfig; from tpt.models import locate\n"
        "print(locate(ModelConfig(name='tiny-random', source='random')))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | {"TPT_CACHE": str(cache)}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    return [Path(one.communicate()[0].strip()) for one in started]


@pytest.mark.slow
def test_two_processes_build_the_random_model_once_and_always_the_same(tiny_model: Path, tmp_path: Path) -> None:
    first, second = build_twice_at_once(tmp_path / "cache")
    assert first == second
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")] == [first.name]
    for name in ("model.safetensors", "tokenizer.json"):
        assert (first / name).read_bytes() == (tiny_model / name).read_bytes()


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPT_CACHE", str(tmp_path))

    def broken(folder: Path) -> None:
        folder.mkdir()
        (folder / "origin.json").write_text("{}")

    with pytest.raises(ModelError, match="lacks"):
        build_once("broken", broken)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_download_that_is_not_the_expected_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"something else")
    with pytest.raises(ModelError, match="is not the expected file"):
        check_sha256(tmp_path / "a.whl", PACKAGES["google/gemma-3-270m"].wheels[0][1])


@pytest.mark.slow
def test_the_packaged_model_solves_simple_arithmetic_and_stops(smollm2: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(smollm2)
    model: Any = AutoModelForCausalLM.from_pretrained(smollm2)
    assert 130e6 < models.describe(smollm2)["parameters"] < 140e6
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, max_new_tokens=40, do_sample=False)[0]
    assert "Paris" in tokenizer.decode(output[inputs["input_ids"].shape[1] :])
    assert output[-1] == tokenizer.eos_token_id == 2
