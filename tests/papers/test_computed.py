"""Numbers of papers that are computed without runs, against numbers worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from overopt.papers.catastrophic_goodhart2024 import N, utility_of_best
from overopt.papers.enumerated import tree


def test_best_of_n_of_two_normals_is_half_of_the_largest_sum() -> None:
    """V and X are exchangeable, so that E[V] = E[max of n sums] / 2, sums of SD sqrt(2).

    E[max of 10 standard normals] = 1.5387527 and of 1,000: 3.2414359.
    """
    curve = utility_of_best(stats.norm(), stats.norm(), 40.0)
    for n, largest in ((1, 0.0), (10, 1.5387527), (1000, 3.2414359)):
        (place,) = np.flatnonzero(n == N)
        assert curve[place] == pytest.approx(largest / np.sqrt(2.0), abs=1e-3)


def test_a_tree_by_hand() -> None:
    """Even logits give 1/27 to each response; then two places are tilted."""
    logp_SRT = tree.token_logps(torch.zeros(1, 13, 3, dtype=torch.float64))
    assert logp_SRT.shape == (1, 27, 3)
    assert logp_SRT.sum(-1).exp().numpy() == pytest.approx(np.full((1, 27), 1 / 27))
    logits_SDC = torch.zeros(1, 13, 3, dtype=torch.float64)
    logits_SDC[0, 0, 2] = np.log(2.0)  # the first choice, 2, twice as likely as the others
    logits_SDC[0, 12, 1] = np.log(4.0)  # the last choice after 2 and 2
    chance_R = tree.token_logps(logits_SDC).sum(-1).exp().numpy()[0]
    assert chance_R[0] == pytest.approx(1 / 4 / 9)
    assert chance_R[24:] == pytest.approx(1 / 2 / 3 * np.array([1 / 6, 4 / 6, 1 / 6]))
    assert chance_R.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", tree.METHODS)
def test_pairs_of_an_instance_are_inside(name: str) -> None:
    """And what is outside is a probability, the same before whatever the method."""
    logits_DC, chosen_P, rejected_P = tree.draw(3)
    assert logits_DC.shape == (13, 3)
    assert len({*chosen_P, *rejected_P}) <= tree.SUPPORT
    assert (chosen_P != rejected_P).all()
    before_S, after_S = tree.mass_outside(name, 0.5)
    assert before_S.shape == (tree.INSTANCES,)
    assert ((after_S > 0.0) & (after_S < 1.0)).all()
    assert before_S == pytest.approx(tree.mass_outside("dpo", 0.5)[0])
