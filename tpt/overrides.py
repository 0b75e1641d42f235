"""Moved to `tpt.settings.overrides`; the names stay here until every import has followed."""

from tpt.settings.overrides import Names, expand_sweep, quoted, quoted_path, single

__all__ = ["Names", "expand_sweep", "quoted", "quoted_path", "single"]
