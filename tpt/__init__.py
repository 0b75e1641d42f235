"""Think, Prune, Train: let a language model improve on its own correct reasoning (arXiv 2504.18116).

From Python: `tpt.run(...)` starts or continues a run, `tpt.open_run(...)` opens one, and `tpt.judge(...)` judges an
answer; see `tpt.api`.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Results", "TptError", "__version__", "judge", "judge_all", "open_run", "run"]

if TYPE_CHECKING:
    from tpt.api import Results, judge, judge_all, open_run, run
    from tpt.errors import TptError
else:  # type checkers see the names themselves, and no other attributes

    def __getattr__(name: str) -> Any:
        """Import what is used of `__all__` when it is first used, so that `import tpt` stays cheap."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module("tpt.errors" if name == "TptError" else "tpt.api"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return __all__
