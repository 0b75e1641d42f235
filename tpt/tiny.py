"""The model `tiny-random`: a Llama of about 100k random parameters with a small real tokenizer, for tests."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import artefacts, files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 512
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def build(folder: Path) -> None:
    """Write a Llama of about 100k random parameters, the same ones every time, to `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    settings = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,  # large enough that rounding does not decide the next token
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)  # type: ignore[no-untyped-call]  # transformers gives no hints here
    model.save_pretrained(folder)
    files.write_json(folder / artefacts.ORIGIN, {"source": "random", "seed": 0})


def _tokenizer() -> "PreTrainedTokenizerFast":
    """A byte-level BPE tokenizer trained on generated sentences, the same ones every time."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(_sentences(), trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers gives no hints here
        tokenizer_object=bpe, pad_token="<|pad|>", eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def _sentences() -> Iterator[str]:
    names = ("Tom", "Ann", "Sam", "Mia", "Lena", "Omar", "Ruth", "Yusuf")
    things = ("apples", "books", "coins", "pens", "marbles", "dollars", "cards", "stickers", "eggs", "kilometers")
    verbs = ("buys", "finds", "sells", "loses", "gives away", "receives", "collects", "needs")
    for number, (name, thing, verb) in enumerate(itertools.product(names, things, verbs)):
        a, b = 3 + number % 97, 2 + number % 13
        yield (
            f"You are an expert mathematician. Solve this problem step by step, showing all calculations.\n"
            f"{name} has {a} {thing} and {verb} {b} more each day. How many {thing} does {name} have after {b} days?\n"
            f"First, multiply: {b} * {b} = {b * b}. Then add: {a} + {b * b} = {a + b * b}. The total is therefore\n"
            f"#### {a + b * b}"
        )
