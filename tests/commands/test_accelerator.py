"""What a device achieves, measured on the CPU in place of an accelerator."""

from __future__ import annotations

import pytest
import torch

from overopt.commands.accelerator import find_accelerator, measure


def test_rates_are_per_second() -> None:
    found = measure("cpu", "this one", 1e9, width=256)
    assert (found.name, found.memory_bytes) == ("this one", 1e9)
    assert set(found.operations_per_s) == {"float32", "bfloat16", "float16"}
    assert 1e7 < found.operations_per_s["float32"] < 1e13
    assert 1e7 < found.bytes_per_s < 1e13


def test_no_accelerator_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_accelerator() is None
