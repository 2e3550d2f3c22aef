"""Sphinx extension: the API pages, from the docstrings, while autodoc mocks PyTorch, so that no build needs it."""

import re

import scipy.stats  # noqa: F401  imported before the mock stands: scipy asks torch for its class of tensors
import sklearn.manifold  # noqa: F401
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.util import inspect


def _numpydoc(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Our docstrings explain a parameter on its own line and name the errors last; numpydoc has places for both."""
    text = "\n".join(lines)
    if re.search(r"^(Parameters|Returns)\n-+$", text, re.M):
        text = re.sub(r"^(\w[\w, ]*) : ", r"\1\n    ", text, flags=re.M)
        text = re.sub(r"^DataFrame (?=with)", "DataFrame\n    ", text, flags=re.M)
        text, _, errors = text.partition("\nClapleakError for ")
        if errors:
            text += "\nRaises\n------\nClapleakError\n    For " + errors.replace("\n", "\n    ")
        lines[:] = text.split("\n")


def _signature(*about: object) -> tuple[str | None, str | None]:
    """That of our __init__ where a mocked base hides it, and ArrayLike in place of the dozen types behind the name."""
    *_, value, _, signature, returns = about
    if signature == "(*args: Any, **kwargs: Any)" and "__init__" in vars(value):
        own = inspect.signature(value.__init__, bound_method=True)
        signature = inspect.stringify_signature(own, show_return_annotation=False, unqualified_typehints=True)
    return (signature or "").replace(inspect.stringify_annotation(ArrayLike, "smart"), "ArrayLike") or None, returns


def setup(app: Sphinx) -> dict[str, bool]:
    """Read our docstrings before numpydoc does, and annotations such as `Tensor | None` of mocked classes."""
    app.connect("autodoc-process-docstring", _numpydoc, priority=400)
    app.connect("autodoc-process-signature", _signature)
    _MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self
    return {"parallel_read_safe": True}
