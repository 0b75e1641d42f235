"""Tables and figures, made from run folders alone."""

from tpt.report.report import Report, report

__all__ = ["Report", "report"]
