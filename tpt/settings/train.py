"""Supervised fine-tuning on the kept examples."""

from dataclasses import dataclass

from tpt.setting import REQUIRED, section, setting

ALL_LINEAR = "all-linear"  # as peft calls it

# Below this learning rate AdamW's steps are mostly lost if the weights themselves are bfloat16: their 8 bits of
# precision round a step of the learning rate away unless it is about 1/400 of the weight. With SmolLM2's weights, of
# which the median is 0.1, 1 % of the movement arrives at 1e-5, 11 % at 1e-4, 77 % at 1e-3, and 96 % at 2e-3.
BF16_TRUE_RATE = 2e-3


@dataclass
class LoraConfig:
    """Low-rank adapters instead of all weights; they are merged when the model is exported."""

    rank: int = setting(0, "The rank of the adapters; 0: full fine-tuning.", low=0)
    alpha: int = setting(32, "The scale of the adapters, which is divided by their rank.", low=1)
    dropout: float = setting(0.0, "The share of an adapter's inputs that is dropped.", low=0, below=1)
    targets: list[str] = setting(
        [ALL_LINEAR],
        "Names of the layers that get adapters; all-linear: all linear layers except the output.",
        fits=str.strip,
        words="give names of layers",
        least=1,
        hint=f"name at least one layer, or train.lora.targets=[{ALL_LINEAR}]",
    )


@dataclass
class TrainConfig:
    """Supervised fine-tuning on the kept examples."""

    start_from: str = setting(
        "previous",
        "Which model a round fine-tunes: that of the round before, or the base model.",
        choices=("previous", "base"),
    )
    learning_rate: float = setting(REQUIRED, "The peak learning rate of the schedule.", low=0, high=1)
    epochs: int = setting(1, "How many times each example is trained on.", low=1)
    steps: int | None = setting(
        None,
        "Optimizer steps of a training, whatever the number of examples, instead of `train.epochs`; null: epochs. Arms "
        "with more and with fewer examples then differ in their examples alone.",
        low=1,
        added=True,
    )
    batch_size: int = setting(8, "Examples in an optimizer step, over all devices.", low=1)
    warmup: float = setting(0.1, "The share of the steps over which the learning rate rises.", low=0, high=1)
    schedule: str = setting("cosine", "The learning rate after the warm-up.", choices=("cosine", "constant"))
    weight_decay: float = setting(0.01, "AdamW's weight decay.", low=0)
    betas: list[float] = setting([0.9, 0.999], "AdamW's two betas.", low=0, below=1, length=2)
    clip: float = setting(1.0, "The gradient norm above which gradients are scaled down; 0: never.", low=0)
    precision: str = setting(
        "auto",
        "What training computes in; `auto` is bf16-mixed if the hardware has it. `bf16-true` keeps the weights "
        "themselves in bfloat16, where small steps are lost: it is for LoRA, whose adapters stay in float32.",
        choices=("auto", "32-true", "bf16-true", "bf16-mixed"),
    )
    group_problems: bool = setting(
        False, "Whether solutions of one problem go into the same step, so that their prompt is computed once.",
        added=True,
    )  # fmt: skip
    thinking: str = setting(
        "keep",
        "What becomes of a completion's thinking: `drop` trains the model to give the answer without it, and leaves "
        "out examples that never finish thinking.",
        choices=("keep", "drop"),
        added=True,
    )
    max_length: int | None = setting(
        None, "Examples of more tokens are left out, and counted; null: the model's context.", low=2
    )
    lora: LoraConfig = section(LoraConfig)
    micro_batch: int | None = setting(
        None, "Examples that a device takes at once; null: as many as possible.", low=1, runtime=True
    )
    gradient_checkpointing: bool = setting(
        False, "Recompute activations: less memory, a third more time.", runtime=True
    )
    share_prefix: bool = setting(
        True, "Whether the beginning that examples of a batch share is computed once.", runtime=True
    )
    attention: str = setting(
        "auto",
        "The implementation of attention; `auto` is the first of flex (on GPUs), sdpa and eager that the model has.",
        choices=("auto", "sdpa", "flex", "eager"),
        runtime=True,
    )
    fused: bool = setting(
        True, "Whether to use liger's kernels if they are installed and there is a GPU.", runtime=True
    )
    strategy: str = setting(
        "auto", "How several devices train together.", choices=("auto", "ddp", "fsdp"), runtime=True
    )
    devices: int = setting(1, "Devices that train together on each node.", low=1, runtime=True)
    nodes: int = setting(1, "Nodes that train together.", low=1, runtime=True)
    timeout_minutes: int = setting(
        30, "How long the ranks of a training wait for one that does not answer before they end.", low=1, runtime=True
    )
    checkpoint_every: int = setting(50, "Optimizer steps between checkpoints.", low=1, runtime=True)

    @property
    def extent(self) -> str:
        """How long a training is, in words: `2 epochs`."""
        if self.steps:
            return f"{self.steps} step{'' if self.steps == 1 else 's'}"
        return f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"

    @property
    def ranks(self) -> int:
        """Processes that train together, one for each device."""
        return self.nodes * self.devices

    @property
    def micro(self) -> int:
        """Examples that go through one device at once."""
        return self.micro_batch or -(-self.batch_size // self.ranks)

    @property
    def accumulate(self) -> int:
        """Micro-batches of each rank in an optimizer step."""
        return -(-self.batch_size // (self.micro * self.ranks))
