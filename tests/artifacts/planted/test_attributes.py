"""Attributes mixed until they are correlated as asked."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.artifacts.planted.attributes import correlated


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.5, 0.95])
def test_the_correlation_is_the_one_that_was_asked_for(correlation: float) -> None:
    rng = np.random.default_rng(0)
    one, other, third = rng.normal(size=(3, 400))
    found = correlated({"a": one, "b": other + 0.7 * one, "c": third**3}, correlation)
    assert np.allclose(found["a"], one / np.sqrt(np.mean(one**2)))
    for name in ("b", "c"):
        assert np.mean(found[name] ** 2) == pytest.approx(1.0)
        assert np.mean(found[name] * found["a"]) == pytest.approx(correlation, abs=1e-12)


def test_by_hand() -> None:
    """(1, 1) and (1, -1) are uncorrelated; at .6 the second is .6 (1, 1) + .8 (1, -1)."""
    found = correlated({"a": np.array([1.0, 1.0]), "b": np.array([2.0, -2.0])}, 0.6)
    assert found["b"] == pytest.approx([1.4, -0.2])


@pytest.mark.parametrize("other", [np.zeros(3), np.array([2.0, 4.0, 6.0])])
def test_an_attribute_that_tells_nothing_is_refused(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the attribute b tells nothing of its own"):
        correlated({"a": np.array([1.0, 2.0, 3.0]), "b": other}, 0.5)
