"""The models that have configs: each composes, and a tiny random model of its architecture samples and trains."""

from pathlib import Path

import pytest
import torch
from architectures import checkpoint_of
from trainable import SETTINGS

from tpt import models, records
from tpt.errors import ModelError
from tpt.models.wheel import PACKAGES, begin_texts
from tpt.progress import Progress
from tpt.prompt import render
from tpt.records import Example, Problem
from tpt.settings.compose import compose
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.base import Draw, Prompt
from tpt.think.engines import make_sampler
from tpt.train.fit import fit

ARCHITECTURES = {
    **dict.fromkeys(("qwen3-0.6b", "qwen3-1.7b", "qwen3-8b"), "qwen3"),
    "r1-distill-qwen-1.5b": "qwen2",
    **dict.fromkeys(("gemma3-1b", "gemma3-270m"), "gemma3_text"),
    "gemma3-4b": "gemma3",
    "smollm3-3b": "smollm3",
    "olmo2-1b": "olmo2",
    "phi4-mini": "phi3",
}
CONTEXT = 128


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_models_config_says_where_it_is_and_how_it_is_trained(name: str) -> None:
    shots = ["task.few_shot=2"] if name == "gemma3-270m" else []
    settings = compose([f"model={name}", "task=gsm8k", "sampler.engine=transformers", *shots])
    assert settings.model.name == name
    assert settings.model.path.count("/") == 1, "a hub id"
    assert settings.train.learning_rate == settings.model.learning_rate <= 5e-5
    assert (settings.model.context or 0) >= 4096


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(ARCHITECTURES.values())))
def test_a_model_of_its_architecture_learns_from_its_own_samples(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    start = checkpoint_of(kind, tiny_model, tmp_path / "start")
    config = ModelConfig(name=kind, dtype="float32")
    draw = Draw(n=4, temperature=1.0, top_p=1.0, max_tokens=12, end_ids=(2,), stop=("e",))

    def sample(folder: Path) -> list[Example]:
        with make_sampler(SamplerConfig(engine="transformers"), config, folder, CONTEXT, seed=0) as engine:
            drawn = engine.sample([Prompt(str(at), [5, 9, 30 + at], 10 * at) for at in range(4)], draw)
            return [Example(one.key, "self", 1, one.ids, each.ids, each.text) for one, some in drawn for each in some]

    samples = sample(start)
    records.write(tmp_path / "examples.parquet", Example, samples)
    results = fit(start, tmp_path / "examples.parquet", tmp_path / "out", SETTINGS, 0, CONTEXT, Progress())
    assert results["label_tokens"] == sum(len(one.completion_ids) for one in samples)
    assert torch.isfinite(torch.tensor([results["first_loss"], results["final_loss"]])).all()
    assert models.fingerprint(tmp_path / "out" / "model") != models.fingerprint(start)
    assert len(sample(tmp_path / "out" / "model")) == len(samples)


# Models in wheels


def test_a_packaged_model_that_is_in_no_wheel_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no package is known that contains owner/name") as caught:
        models.locate(ModelConfig(name="x", source="packaged", path="owner/name"))
    assert "google/gemma-3-270m" in caught.value.hint


def test_every_packaged_model_names_its_licence_and_gemma_its_terms() -> None:
    assert all(one.license and one.wheels and one.parts for one in PACKAGES.values())
    gemma = PACKAGES["google/gemma-3-270m"]
    assert "ai.google.dev/gemma/terms" in gemma.terms
    assert gemma.terms_file.endswith("GEMMA_TERMS.html")
    assert len({one.folder for one in PACKAGES.values()}) == len(PACKAGES)


def test_a_text_begins_with_its_bos_token_once_the_tokenizer_is_corrected(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>"})
    assert tokenizer.encode("one")[0] != tokenizer.bos_token_id
    begin_texts(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.encode("one") == [loaded.bos_token_id, *loaded.encode("one", add_special_tokens=False)]
    task = compose(["task.few_shot=1", "sampler.engine=transformers"]).task
    ids = render(Problem("p", "What is 2 + 2?", "4"), task, loaded, ModelConfig(name="base", chat=False))
    assert ids[0] == loaded.bos_token_id and ids.count(loaded.bos_token_id) == 1
