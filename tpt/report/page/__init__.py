"""The report as one self-contained HTML page, with a browser for samples."""

from tpt.report.page.build import write

__all__ = ["write"]
