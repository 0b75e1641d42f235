"""Moved to `tpt.settings.compose`; the names stay here until every import has followed."""

from tpt.settings.compose import all_keys, choices, compose, conf_dir, expand_sweep, from_node, load

__all__ = ["all_keys", "choices", "compose", "conf_dir", "expand_sweep", "from_node", "load"]
