"""Examples and settings to train small models with."""

import random

from tpt.records import Example
from tpt.settings.train import TrainConfig

SETTINGS = TrainConfig(learning_rate=1e-3, batch_size=2, checkpoint_every=1, precision="32-true")


def example(number: int, prompt: int, completion: int) -> Example:
    rng = random.Random(number)
    ids = [rng.randrange(3, 500) for _ in range(prompt + completion - 1)] + [2]
    return Example(f"p{number}", "self", 1, ids[:prompt], ids[prompt:], "")
