"""A checkpoint whose tensors do not fill its model is refused, in every place that loads one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import checkpoint_of
from safetensors.torch import load_file, save_file
from trainable import SETTINGS, example
from transformers import AutoConfig, AutoModelForCausalLM

from tpt import models, records
from tpt.analysis.gradient_equivalence import Size, measure
from tpt.checkpoint import check_tensors, load_causal_lm, quantization
from tpt.errors import ModelError
from tpt.progress import Progress
from tpt.records import Example
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.stages.prepare import prepare
from tpt.think.transformers import TransformersSampler
from tpt.train.fit import fit

Tensors = dict[str, torch.Tensor]
Make = Callable[..., Config]
NORM = "model.layers.1.input_layernorm.weight"
RANDOM = "would be left at random values"


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def without(*parts: str) -> Callable[[Tensors], Tensors]:
    return lambda found: {name: one for name, one in found.items() if not any(part in name for part in parts)}


def test_a_whole_checkpoint_loads_with_its_own_weights_although_tied_ones_and_buffers_are_not_in_its_files(
    tiny_model: Path,
) -> None:
    stored = load_file(tiny_model / "model.safetensors")
    loaded: Any = load_causal_lm(tiny_model)
    held = loaded.state_dict()
    assert "lm_head.weight" in held.keys() - stored.keys()
    assert all(torch.equal(held[name], tensor) for name, tensor in stored.items())


def test_missing_tensors_are_named_and_counted(copy: Path) -> None:
    rewrite(copy, without(NORM))
    with pytest.raises(ModelError, match=rf"lacks the tensor {NORM}, which {RANDOM}"):
        check_tensors(copy)
    rewrite(copy, without("layers.1."))
    with pytest.raises(ModelError, match=r"lacks 9 of its model's tensors: (model\.layers\.1\.\S+, ){3}\.\.\., which"):
        check_tensors(copy)


def test_an_output_head_that_is_not_tied_must_be_there(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    with pytest.raises(ModelError, match=r"lacks the tensor lm_head\.weight"):
        check_tensors(copy)


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "model._fsdp_wrapped_module."])
def test_names_that_a_wrapper_has_changed_are_recognised(copy: Path, wrapper: str) -> None:
    rewrite(copy, lambda found: {wrapper + name: tensor for name, tensor in found.items()})
    with pytest.raises(ModelError, match=rf"lacks 21 of its model's tensors: .* {RANDOM}") as caught:
        check_tensors(copy)
    assert f"contain a wrapper's `{wrapper.removeprefix('model.').split('.')[0]}.`" in caught.value.hint
    assert "save the model inside the wrapper" in caught.value.hint


def test_names_without_the_models_own_prefix_are_those_of_a_model_without_its_head_and_load(copy: Path) -> None:
    before: Any = load_causal_lm(copy)
    rewrite(copy, lambda found: {name.removeprefix("model."): tensor for name, tensor in found.items()})
    after: Any = load_causal_lm(copy)
    assert all(torch.equal(one, after.state_dict()[name]) for name, one in before.state_dict().items())


def test_a_tensor_of_another_shape_is_refused(copy: Path) -> None:
    rewrite(copy, lambda found: found | {NORM: torch.ones(63)})
    with pytest.raises(ModelError, match=rf"has the tensor {NORM} \(\[63\], not \[64\]\) in another shape"):
        check_tensors(copy)


def test_a_config_that_transformers_does_not_take_is_refused_in_its_words(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"hidden_act": 5}))
    with pytest.raises(ModelError, match=r"cannot load the model in .*hidden_act"):
        check_tensors(copy)


def test_experts_that_are_stored_one_by_one_fill_the_model_and_none_may_be_missing(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = checkpoint_of("mixtral", tiny_model, tmp_path / "experts")
    stored = models.tensors(folder / "model.safetensors")
    loaded: Any = load_causal_lm(folder)
    assert any("experts.3." in name for name in stored.keys() - loaded.state_dict().keys()), "names are converted"
    rewrite(folder, without("layers.1.block_sparse_moe.experts.2.w2"))
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.experts\.down_proj \(\[3, .* in another shape"):
        check_tensors(folder)
    rewrite(folder, without("layers.1.block_sparse_moe.experts"))
    with pytest.raises(ModelError, match=r"lacks 2 of its model's tensors: model\.layers\.1\.mlp\.experts\.down_proj"):
        check_tensors(folder)


def test_the_weights_themselves_are_not_read(copy: Path) -> None:
    """A checkpoint of 1.3 TB, of which only the header is on the disk."""
    sizes = {"hidden_size": 16384, "intermediate_size": 65536, "num_attention_heads": 128, "num_key_value_heads": 8}
    config = json.loads((copy / "config.json").read_text()) | sizes
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 80, "head_dim": 128}))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(copy))  # type: ignore[no-untyped-call]  # untyped there
    header, end = {}, 0
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            header[name] = {
                "dtype": "F32",
                "shape": list(tensor.shape),
                "data_offsets": [end, end + 4 * tensor.numel()],
            }
            end += 4 * tensor.numel()
    written = json.dumps(header).encode()
    with (copy / "model.safetensors").open("wb") as handle:
        handle.write(len(written).to_bytes(8, "little") + written)
        handle.truncate(8 + len(written) + end)
    assert end > 10**12
    models.check_folder(copy)
    check_tensors(copy)


# In every place that loads


@pytest.fixture
def holed(copy: Path) -> Path:
    """A checkpoint that lacks a tensor."""
    rewrite(copy, without(NORM))
    return copy


def test_it_is_not_sampled_from(holed: Path, tiny_config: Make) -> None:
    config = tiny_config()
    with pytest.raises(ModelError, match=RANDOM):
        TransformersSampler(config.sampler, config.model, holed, 512)


def test_it_is_not_trained(holed: Path, tmp_path: Path) -> None:
    records.write(tmp_path / "examples.parquet", Example, [example(one, 9, 9) for one in range(2)])
    with pytest.raises(ModelError, match=RANDOM):
        fit(holed, tmp_path / "examples.parquet", tmp_path / "out", SETTINGS, 7, 200, Progress())
    assert not (tmp_path / "out").exists()


def test_its_gradients_are_not_measured(holed: Path, tiny_config: Make) -> None:
    run = Run.create(tiny_config())
    run.finish(Stage(0, "prepare"), {"model_dir": str(holed)}, 0.0)
    with pytest.raises(ModelError, match=RANDOM):
        measure(run, [], Size(1, 1, 1), 0)


@pytest.mark.parametrize("rounds", [0, 1])
def test_no_run_begins_with_it(holed: Path, tiny_config: Make, rounds: int) -> None:
    config = tiny_config(f"rounds={rounds}")
    config.model = ModelConfig(name="holed", source="hub", path=str(holed))
    with pytest.raises(ModelError, match=RANDOM):
        prepare(Run.create(config), Stage(0, "prepare"), Progress())


def test_no_run_begins_with_it_as_its_teacher(holed: Path, tiny_config: Make) -> None:
    config = tiny_config()
    config.think.teacher = ModelConfig(name="holed", source="hub", path=str(holed))
    with pytest.raises(ModelError, match=RANDOM):
        prepare(Run.create(config), Stage(0, "prepare"), Progress())


# Quantised


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"load_in_4bit": True}}, "unknown"),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"quantization_config": None, "text_config": {}}, ""),
        ({}, ""),
    ],
)
def test_quantised_weights_are_known_by_the_config(tmp_path: Path, config: dict[str, Any], kind: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert quantization(tmp_path) == kind
