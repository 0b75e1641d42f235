"""TRL's SFTTrainer on given token ids; run by `train.py` with the Python of TRL's own environment.

python benchmarks/train_trl.py MODEL EXAMPLES OUT STEPS BATCH MICRO LEARNING_RATE PRECISION
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):
    """The time at the end of each optimizer step, and its loss."""

    def __init__(self) -> None:
        self.ended: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Record the time."""
        self.ended.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Record the loss."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])


def main() -> None:
    """Train, and write the times and losses of the steps."""
    model, examples, out, steps, batch, micro, learning_rate, precision = sys.argv[1:]
    rows = [json.loads(line) for line in Path(examples).read_text(encoding="utf-8").splitlines()]
    data = Dataset.from_list(
        [
            {
                "input_ids": row["prompt_ids"] + row["completion_ids"],
                "labels": [-100] * len(row["prompt_ids"]) + row["completion_ids"],
            }
            for row in rows
        ]
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            num_train_epochs=int(steps),
            per_device_train_batch_size=int(micro),
            gradient_accumulation_steps=int(batch) // int(micro),
            learning_rate=float(learning_rate),
            lr_scheduler_type="constant",
            weight_decay=0.01,
            max_grad_norm=1.0,
            bf16=precision == "bf16-mixed",
            use_cpu=True,
            gradient_checkpointing=False,
            max_length=None,
            packing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            model_init_kwargs={"dtype": "float32"},
        )
        SFTTrainer(model=model, args=settings, train_dataset=data, callbacks=[clock]).train()
    Path(out).write_text(json.dumps({"ended": clock.ended, "losses": clock.losses}), encoding="utf-8")


if __name__ == "__main__":
    main()
