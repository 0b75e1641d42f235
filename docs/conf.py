"""How Sphinx builds the site: `make docs`.

The source folder is the whole repository, so that a link between two Markdown files is the same link on the site and
wherever else the files are read; what lies outside `FOLDERS` is not looked at.
"""

import sys
from pathlib import Path

from tpt import __version__

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs" / "extensions"))

FOLDERS = ("docs", "experiments", "benchmarks")

project = "tpt: Think, Prune, Train"
author = "the authors of tpt"
copyright = author
version = release = __version__

extensions = ["myst_parser", "configuration", "gallery", "results"]
root_doc = "docs/index"
exclude_patterns = [
    *sorted(path.name for path in ROOT.iterdir() if path.name not in FOLDERS),
    *("docs/_build", "benchmarks/.trl"),
]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
highlight_language = "none"  # a block without a language shows what is typed and printed

html_theme = "furo"
html_title = project
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_additional_pages = {"index": "to_docs.html"}  # the pages lie in docs/, as their sources do
templates_path = ["templates"]
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
