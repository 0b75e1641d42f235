"""Moved to `tpt.settings.names`; the names stay here until every import has followed."""

from tpt.settings.names import all_keys, choices, conf_dir, groups, settings

__all__ = ["all_keys", "choices", "conf_dir", "groups", "settings"]
