"""Numbers of papers that are computed without runs, against numbers worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from overopt.methods.selection import bon, itp
from overopt.papers.catastrophic_goodhart2024 import N, utility_of_best
from overopt.papers.enumerated import recurrent, regret, tree


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


def test_pairs_of_an_instance_are_of_few_responses() -> None:
    logits_DC, chosen_P, rejected_P = tree.draw(3)
    assert logits_DC.shape == (13, 3)
    assert len({*chosen_P, *rejected_P}) <= tree.SUPPORT
    assert (chosen_P != rejected_P).all()


def test_references_learn_the_law_of_the_chosen_responses() -> None:
    """The tree can have any law, so that the likeliest gives each response its share of pairs."""
    logp_SR = tree.token_logps(tree.learned_references()).sum(-1)
    chosen_SP = tree.instances().pair_SP2[..., 0]
    share_SR = torch.zeros_like(logp_SR).scatter_add_(
        1, chosen_SP, torch.full(chosen_SP.shape, 1 / tree.PAIRS, dtype=logp_SR.dtype)
    )
    assert (logp_SR.exp() - share_SR).abs().max() < 0.02


def test_the_ratio_of_chosen_responses_is_no_kl_where_the_reference_knows_nothing_of_them() -> None:
    """Even logits, and a policy with all probability on one response, which no pair has chosen."""
    even_SDC = torch.zeros(1, 13, 3, dtype=torch.float64)
    pair_SP2 = torch.tensor([[[0, 26]]])
    ratio_S, kl_S = tree.ratio_and_kl(even_SDC, _tilted(26, np.log(2.0)), pair_SP2)
    # Choice 2 has 1/2 at each of three places, the others 1/4: ratios 3/2 and 3/4 a place.
    assert ratio_S == pytest.approx([3 * np.log(3 / 4)])
    assert kl_S == pytest.approx([-3 * (np.log(3 / 2) / 3 + 2 / 3 * np.log(3 / 4))])


def _tilted(response: int, by: float) -> torch.Tensor:
    """Even logits but for the choices of one response, at every place."""
    logits_SDC = torch.zeros(1, 13, 3, dtype=torch.float64)
    logits_SDC[..., response % 3] = by
    return logits_SDC


def test_a_recurrent_policy_by_hand() -> None:
    """One of its states counts: it is a at first, and then tanh(2 x before + 0, 1 or -1)."""
    parameters = [torch.zeros_like(one) for one in recurrent.networks(0, 1)]
    first_SH, recurrence_SHH, choice_SCH, output_SHC, offset_SC = parameters
    first_SH[0, 5], recurrence_SHH[0, 5, 5], output_SHC[0, 5, 2], offset_SC[0, 1] = 0.3, 2.0, 1.5, 7
    choice_SCH[0, 1, 5], choice_SCH[0, 2, 5] = 1.0, -1.0
    logits_DC = recurrent.logits(parameters)[0].numpy()
    assert logits_DC.shape == (13, 3)
    assert (logits_DC[:, 0] == 0.0).all() and (logits_DC[:, 1] == 7.0).all()
    root = np.tanh(0.3)
    level = np.tanh(2.0 * root + np.array([0.0, 1.0, -1.0]))
    leaves = np.tanh(2.0 * level[:, None] + np.array([0.0, 1.0, -1.0])).ravel()
    assert logits_DC[:, 2] == pytest.approx(1.5 * np.concatenate([[root], level, leaves]))


def test_recurrent_references_learn_the_laws_of_the_trees() -> None:
    """Half the sum of absolute differences, on average over the instances."""
    law_SR = tree.token_logps(tree.instances().reference_SDC).sum(-1).exp()
    learned_SR = tree.token_logps(recurrent.logits(recurrent.references())).sum(-1).exp()
    assert float((law_SR - learned_SR).abs().sum(1).mean()) / 2 < 0.05
    pair_SP2 = tree.instances().pair_SP2
    for s, chance in enumerate(recurrent.unseen("dpo", None)):
        seen = sorted({*pair_SP2[s].ravel().tolist()})
        assert chance == pytest.approx(1.0 - float(learned_SR[s, seen].sum()))


def test_regret_of_two_draws_by_hand() -> None:
    """A prompt with a good response of 1/4; another that is good but for 1/4 that harms by .4.

    The good one is missed by two draws with (3/4)^2 = 9/16; the bad one is the best of two with
    1 - (3/4)^2 = 7/16. At more draws the one gets less likely and the other more.
    """
    instance = regret.Instance(np.ones(1), np.array([0.25]), np.array([0.25]))
    pool, true_KR = regret.listed(instance, 0.2)
    assert true_KR[0] == pytest.approx([0.0, 1.0, 0.6])
    policy_KR = bon.weights(bon.Config(), pool, 2.0)
    assert policy_KR == pytest.approx(np.array([[9, 7, 0], [0, 9, 7]]) / 16)
    assert (policy_KR * true_KR).sum(axis=1) == pytest.approx([7 / 16, 9 / 16 + 0.6 * 7 / 16])


def test_both_costs_bind_at_every_error() -> None:
    """Local exponents of best-of-n stay near 2/3, and both of its costs count at its best n."""

    def least(instance: regret.Instance, error: float) -> float:
        return regret.best_regret(
            instance, error, lambda pool, n: bon.weights(bon.Config(), pool, n), regret.N
        )

    whole = regret.draw(0)
    found = np.log([least(whole, float(error)) for error in regret.ERRORS])
    local = np.diff(found) / np.diff(np.log(regret.ERRORS))
    assert ((local > 0.5) & (local < 0.8)).all()
    of_n, of_pessimism = regret.exponents(0)
    assert of_n == pytest.approx(2 / 3, abs=0.05) and of_pessimism == pytest.approx(1.0, abs=0.05)


def test_bad_responses_share_the_mean_squared_error() -> None:
    instance = regret.draw(0)
    pool, true_KR = regret.listed(instance, 0.004)
    square_KR = pool.reference_BN * (pool.proxy_BN - true_KR) ** 2
    assert square_KR[:, :2].max() == 0.0
    assert square_KR[:-1].max() == 0.0
    alike_J = square_KR[-1, 2:] / 0.004**2 * regret.SCALES
    assert alike_J == pytest.approx(np.ones_like(alike_J), rel=1e-3)


def test_with_one_good_response_of_one_probability_best_of_n_loses_like_pessimism() -> None:
    """Missing it dies off exponentially, so that the best n hardly grows: both lose alike."""
    plain = regret.draw(0)
    alike = regret.Instance(np.ones(1), np.array([0.1]), plain.bad_J)
    found = []
    for policy, knobs in (
        (lambda pool, n: bon.weights(bon.Config(), pool, n), regret.N),
        (lambda pool, beta: itp.weights(itp.Config(), pool, beta), regret.BETA),
    ):
        least = [regret.best_regret(alike, error, policy, knobs) for error in (1 / 64, 1 / 256)]
        found.append(np.log(least[0] / least[1]) / np.log(4.0))
    assert found[0] == pytest.approx(found[1], abs=0.1)


def test_a_best_knob_at_the_end_of_its_range_is_no_best_knob() -> None:
    with pytest.raises(ValueError, match="at an end of the range"):
        regret.best_regret(
            regret.draw(0), 0.25, lambda pool, n: bon.weights(bon.Config(), pool, n), regret.N[:3]
        )
