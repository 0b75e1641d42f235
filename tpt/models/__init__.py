"""Models: finding them, checking their folders and describing them, without loading any.

`sources` finds a model (in a folder, on the `hub`, in a `wheel`, in the `cache`), `folder` checks its files, `facts`
describes it.
"""

from tpt.models.facts import context_length, describe, fingerprint, head_size, text_config
from tpt.models.folder import INDEX, check_folder, read_json, tensors, weights
from tpt.models.sources import locate, look
from tpt.models.wheel import PACKAGES

__all__ = [
    "INDEX",
    "PACKAGES",
    "check_folder",
    "context_length",
    "describe",
    "fingerprint",
    "head_size",
    "locate",
    "look",
    "read_json",
    "tensors",
    "text_config",
    "weights",
]
