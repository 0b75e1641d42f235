"""Every setting a user can choose: one file a section, what is wrong with a choice, and how a config is composed.

`every` lists them with their facts. Nothing here imports torch or vLLM.
"""

from tpt.settings.facts import Fact, every

__all__ = ["Fact", "every"]
