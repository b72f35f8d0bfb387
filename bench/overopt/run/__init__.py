"""Planning and KL targeting; called as a function, ``overopt.run(...)``, it runs methods.

The function is ``overopt.commands.from_python.run``, whose options ``help`` shows.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Importing any module of this package puts the package where ``overopt.run`` is looked up."""

    def __call__(self, *words: Any, **options: Any) -> Any:
        return importlib.import_module("overopt.commands.from_python").run(*words, **options)


sys.modules[__name__].__class__ = _Callable
