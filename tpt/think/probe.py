"""Moved to `tpt.probe`; the names stay here until every import has followed."""

from tpt.probe import COMPANIONS, Found, clash, has_vllm, look

__all__ = ["COMPANIONS", "Found", "clash", "has_vllm", "look"]
