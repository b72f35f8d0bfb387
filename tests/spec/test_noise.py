"""Noise is asked for in a few forms, and its label gives it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.spec.noise import NoiseSpec


@pytest.mark.parametrize(
    ("text", "kind", "amount", "label"),
    [
        ("0", "flip", 0.0, "0"),
        ("0.25", "flip", 0.25, "0.25"),
        (".25", "flip", 0.25, "0.25"),
        ("flip:0.1", "flip", 0.1, "0.1"),
        ("random:0.5", "random", 0.5, "random:0.5"),
        ("bt:1", "bt", 1.0, "bt:1"),
        ("heavy:3e-1", "heavy", 0.3, "heavy:0.3"),
        (" 0.25 ", "flip", 0.25, "0.25"),
    ],
)
def test_noise_literals(text: str, kind: str, amount: float, label: str) -> None:
    noise = NoiseSpec.parse(text)
    assert (noise.kind, noise.amount, noise.label) == (kind, amount, label)
    assert NoiseSpec.parse(noise.label) == noise


@given(
    st.sampled_from(["flip", "random", "bt", "heavy"]),
    st.integers(1, 1000).map(lambda thousandths: thousandths / 1000),
)
def test_a_noise_is_its_label(kind: str, amount: float) -> None:
    noise = NoiseSpec.parse(f"{kind}:{amount}")
    assert NoiseSpec.parse(noise.label) == noise


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0.2.5",
        "-0.1",
        "1.01",
        "random:1.5",
        "bt:0",
        "heavy:0",
        "fog:1",
        "bt:",
        "nan",
        "bt:inf",
    ],
)
def test_what_is_no_noise(text: str) -> None:
    with pytest.raises(ValueError):
        NoiseSpec.parse(text)
