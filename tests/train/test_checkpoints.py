"""A trained model's checkpoint has what its base had, stops where training ended, and is tried out beforehand."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainable import SETTINGS, example
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, GenerationConfig

from tpt import models, records
from tpt.checkpoint import load_causal_lm
from tpt.errors import ModelError
from tpt.progress import Progress
from tpt.prompt import end_ids
from tpt.records import Example
from tpt.settings.model import AS_IT_IS
from tpt.train.export import export, rehearse
from tpt.train.fit import fit

SAMPLING = {"temperature": 0.9, "top_p": 0.6, "top_k": 5}  # without do_sample, as Llama 2 and Vicuna have them


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "base"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def exported(base: Path) -> Path:
    """What an export of the untrained model is."""
    out = base.parent / "out"
    export(load_causal_lm(base), base, out)
    return out


def generation(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "generation_config.json").read_text()))


def ends(folder: Path) -> list[int]:
    return end_ids(AutoTokenizer.from_pretrained(folder), folder, AS_IT_IS)


def trained(base: Path) -> Path:
    """A checkpoint after two steps."""
    out = base.parent / "run"
    records.write(base.parent / "examples.parquet", Example, [example(one, 9, 9) for one in range(4)])
    fit(base, base.parent / "examples.parquet", out, SETTINGS, 7, 200, Progress())
    assert [path.name for path in out.iterdir() if path.is_dir()] == ["model"]
    return out / "model"


def test_sampling_values_that_transformers_would_not_save_are_kept(base: Path) -> None:
    change(base / "generation_config.json", **SAMPLING)
    with pytest.raises(ValueError, match="temperature"):
        GenerationConfig.from_pretrained(base).save_pretrained(base.parent / "refused")
    assert generation(trained(base)) == generation(base)


@pytest.mark.parametrize("named", [2, [0, 2], [0], 0])
def test_whoever_generates_stops_where_training_ended(base: Path, named: int | list[int]) -> None:
    change(base / "generation_config.json", eos_token_id=named)
    out = exported(base)
    expected = [2] if named == 2 else [2, 0]
    assert ends(out) == ends(base) == expected
    assert GenerationConfig.from_pretrained(out).eos_token_id == (2 if named == 2 else expected)


def test_an_end_of_turn_that_no_config_names_is_named_in_the_export(base: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<|im_start|>{% endfor %}"
    tokenizer.save_pretrained(base)
    out = exported(base)
    assert ends(out) == ends(base) == generation(out)["eos_token_id"] == [1, 2]
    assert ends(out) == ends(exported(out)), "and in the export of an export"


def test_a_base_without_a_generation_config_gets_one(base: Path) -> None:
    (base / "generation_config.json").unlink()
    change(base / "config.json", temperature=0.7, bos_token_id=1)
    assert generation(exported(base)) == {"bos_token_id": 1, "pad_token_id": 0, "eos_token_id": 2}
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokenizer.eos_token = tokenizer.chat_template = None
    (base / "chat_template.jinja").unlink()
    tokenizer.save_pretrained(base)
    assert ends(base) == ends(exported(base)) == [2], "the config's, where the tokenizer names none"


def test_companion_files_are_kept_and_others_are_not(base: Path) -> None:
    kept = {
        "preprocessor_config.json",
        "video_preprocessor_config.json",
        "processor_config.json",
        "chat_template.json",
        "tokenizer.model",
        "modeling_own.py",
        "additional_chat_templates/rag.jinja",
    }
    left = {"README.md", "notes.txt", "training_args.bin", "trainer_state.json", "model.safetensors.index.json"}
    (base / "additional_chat_templates").mkdir()
    for name in kept | (left - {"model.safetensors.index.json"}):
        (base / name).write_text(f"{name} of the base")
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    out = base.parent / "out"
    export(AutoModelForCausalLM.from_pretrained(base), base, out)
    for name in kept:
        assert (out / name).read_text() == f"{name} of the base"
    assert not [name for name in left if (out / name).exists()]


@pytest.fixture
def multimodal(base: Path) -> Path:
    """A Gemma 3 that also sees, with random weights."""
    sizes = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048}
    sight = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        "gemma3",
        text_config=sizes | heads | {"sliding_window": 16},
        vision_config=sight | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(base)  # type: ignore[no-untyped-call]  # untyped there
    (base / "preprocessor_config.json").write_text('{"image_processor_type": "Gemma3ImageProcessor"}')
    return base


def test_a_multimodal_model_is_trained_in_its_text_part_and_keeps_the_rest(multimodal: Path) -> None:
    out = trained(multimodal)
    before, after = load_file(multimodal / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("language_model.")}
    assert any(name.startswith("vision_tower.") for name in before)
    loaded: Any = AutoModelForCausalLM.from_pretrained(out)
    held = loaded.state_dict()
    assert type(loaded).__name__ == "Gemma3ForConditionalGeneration"
    inside = "model.language_model.layers.1.mlp.up_proj.weight"
    assert torch.equal(held[inside], after["language_model.model.layers.1.mlp.up_proj.weight"])
    assert torch.equal(held["model.vision_tower.head.probe"], before["vision_tower.head.probe"])
    assert (out / "preprocessor_config.json").read_bytes() == (multimodal / "preprocessor_config.json").read_bytes()
    described = models.describe(out)
    assert described["parameters"] == sum(tensor.numel() for tensor in before.values())
    assert ends(out) == ends(multimodal)


def test_what_cannot_be_exported_is_said_before_training(base: Path) -> None:
    (base / "tokenizer.model").symlink_to("lost")  # as in a cache of the hub that was cleaned up
    with pytest.raises(ModelError, match=r"could be trained, but its export could not be used: .*tokenizer\.model"):
        rehearse(base, base.parent / "run" / "model")
    assert not list((base.parent / "run").iterdir())


def composite(kind: str, base: Path, **extra: Any) -> Path:
    """A multimodal checkpoint of another kind with random weights."""
    sizes = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, text_config=sizes | heads | extra.pop("text"), **extra)
    AutoModelForImageTextToText.from_config(config).save_pretrained(base)  # type: ignore[no-untyped-call]  # untyped
    return base


def test_a_model_whose_language_part_alone_is_loaded_warns_and_its_export_goes_on(base: Path) -> None:
    keys = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8}
    sight = {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    composite("qwen3_5", base, text=keys | {"linear_value_head_dim": 8}, vision_config=sight)
    [warning] = rehearse(base, base.parent / "out")
    assert "multimodal checkpoint (qwen3_5)" in warning
    assert "only text" in warning
    out = exported(base)
    assert rehearse(out, out) == []
    one, other = (load_causal_lm(folder).state_dict() for folder in (base, out))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_an_export_that_would_not_load_again_is_refused_before_training(base: Path) -> None:
    """transformers loads the text part of this kind from the whole, and not by itself."""
    sight = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_global_layers": 1}
    views = {"attention_heads": 2, "image_size": 28, "patch_size": 14, "vision_output_dim": 32}
    rope = {"rope_type": "default", "rope_theta": 1e4}
    composite(
        "mllama",
        base,
        text={"cross_attention_layers": [1], "rope_parameters": rope},
        vision_config=sight | views | {"intermediate_layers_indices": [0]},
    )
    with pytest.raises(ModelError, match=r"could be trained, but its export could not be used: .*MllamaTextConfig"):
        rehearse(base, base.parent / "out")
    load_causal_lm(base)


def test_a_rehearsal_leaves_an_export_that_is_there_alone(base: Path) -> None:
    out = exported(base)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert rehearse(base, out) == []
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert {path.name for path in base.parent.iterdir()} == {"base", "out"}
