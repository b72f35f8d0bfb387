"""Mean cosine within draws."""

import numpy as np
import pytest

from overopt.stats.pools.similarity import mean_cosine, of_unit_length


def test_equals_the_cosines_written_out() -> None:
    generator = np.random.default_rng(0)
    feature_BNF = generator.normal(size=(3, 7, 4))
    feature_BNF[1, 2] = 0.0  # resembles nothing, itself neither
    drawn_Dn = np.stack([generator.integers(0, 7, 5) + 7 * b for b in (0, 0, 2, 1, 1, 1, 0)])
    drawn_Dn[4] = [9, 9, 9, 7, 7]
    found_Dn = mean_cosine(of_unit_length(feature_BNF), drawn_Dn)
    flat_RF = feature_BNF.reshape(21, 4)
    for found_n, row_n in zip(found_Dn, drawn_Dn, strict=True):
        for found, row in zip(found_n, row_n, strict=True):
            lengths = [np.linalg.norm(flat_RF[row]) * np.linalg.norm(flat_RF[j]) for j in row_n]
            inner = [flat_RF[row] @ flat_RF[j] for j in row_n]
            cosines = [a / b if b else 0.0 for a, b in zip(inner, lengths, strict=True)]
            assert found == pytest.approx(np.mean(cosines), abs=1e-6)
    assert found_Dn[4].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.4, 0.4])


def test_what_has_no_length_has_no_direction() -> None:
    unit_BNF = of_unit_length(np.array([[[3.0, 4.0], [0.0, 0.0]]]))
    assert unit_BNF.tolist() == [[[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]]
    assert unit_BNF.dtype == np.float32
    assert mean_cosine(unit_BNF, np.array([[1, 1]])).tolist() == [[0.0, 0.0]]
