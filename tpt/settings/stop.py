"""When `rounds=auto` stops."""

from dataclasses import dataclass

from tpt.setting import setting


@dataclass
class StopConfig:
    """When `rounds=auto` stops: after `patience` rounds in a row without a clear gain in pass@k, for the smallest k.

    Each evaluated round is a look at the dev set. A round gains clearly if the whole interval of its paired gain over
    the last round that gained clearly, or the base model, is above 0. The intervals are so wide that over `most` looks
    the chance of a wrong gain is at most 1 - `evaluate.confidence`.
    """

    auto: bool = setting(False, "What `rounds=auto` sets.")
    patience: int = setting(2, "Rounds in a row without a clear gain after which it stops.", low=1)
    minimum: float = setting(0.0, "The smallest gain in points that counts, however clear it is.", low=0, high=100)
    reader: str = setting("strict", "Whose verdicts count.", choices=("strict", "lenient"))
    most: int = setting(8, "The maximum number of rounds, and the looks over which the error is spent.", low=1)
    least: int = setting(
        0, "Rounds that are done whatever they gain; keeps a number of rounds requested earlier.", low=0
    )
