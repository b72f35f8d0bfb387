"""What ``import overopt`` gives, and that it costs nothing until it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import overopt


def test_every_public_name_is_there() -> None:
    assert set(overopt._EXPORTS) | {"__version__"} == set(overopt.__all__)
    assert dir(overopt) == sorted(overopt.__all__)
    for name in overopt.__all__:
        assert getattr(overopt, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = overopt.nothing


def test_importing_it_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import overopt; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "numpy", "pandas", "pydantic", "matplotlib", "transformers"}
    assert not [name for name in loaded if name.startswith("overopt.")]
