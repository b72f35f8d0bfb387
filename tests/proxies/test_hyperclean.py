import numpy as np
import pytest
import torch

from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.hyperclean import Config, loss, outer, prepare, solve

RNG = np.random.default_rng(0)
D_ND, D_CD = RNG.normal(size=(12, 3)), RNG.normal(loc=0.5, size=(6, 3))


def test_the_outer_gradient_is_that_of_differences() -> None:
    config, start_D = Config(ridge=0.1), np.zeros(3)
    logit_N = RNG.normal(size=12)
    found = outer(config, D_ND, D_CD, logit_N, start_D)
    for pair in (0, 5, 11):
        moved = np.zeros(12)
        moved[pair] = 1e-4
        up, down = (outer(config, D_ND, D_CD, logit_N + s * moved, start_D).loss for s in (1, -1))
        assert found.slope_N[pair] == pytest.approx((up - down) / 2e-4, rel=1e-3, abs=1e-9)


def test_the_inner_solution_by_hand() -> None:
    """One number, d = 1 always: weight sigmoid(-w) = ridge w. At ridge .268941, weight 1: w = 1."""
    found = solve(Config(ridge=0.2689414214), np.ones((4, 1)), np.ones(4), np.zeros(1))
    assert found == pytest.approx([1.0], abs=1e-6)


def test_flipped_labels_come_to_weigh_less() -> None:
    """A fourth of 200 labels is wrong, and 40 others are known to be right."""
    rng = np.random.default_rng(1)
    state_PD = rng.normal(size=(240, 4))
    state_PD *= np.sign(state_PD @ np.array([2.0, -1.0, 0.5, 0.0]))[:, None]
    flipped_P = np.arange(240) < 50
    state_PD[flipped_P] *= -1
    clean_P = np.arange(240) >= 200
    known = KnownPairs(state_PD, np.zeros_like(state_PD), {"clean": clean_P})
    weight_P = prepare(Config(), known)["weight"]
    assert weight_P.mean() == pytest.approx(1.0)
    right_P = ~flipped_P & ~clean_P
    assert weight_P[flipped_P].mean() < 0.5 * weight_P[right_P].mean()
    before, after = (
        outer(Config(), state_PD[~clean_P], state_PD[clean_P], logit_N, np.zeros(4)).loss
        for logit_N in (np.zeros(200), np.log(weight_P[~clean_P]))
    )
    assert after < before


@pytest.mark.parametrize("clean", [False, True])
def test_without_clean_pairs_or_others_all_weigh_1(clean: bool) -> None:
    known = KnownPairs(D_ND, 0 * D_ND, {"clean": np.full(12, clean)})
    assert prepare(Config(), known)["weight"].tolist() == [1.0] * 12


def test_loss_by_hand() -> None:
    labels = {"weight": torch.tensor([2.0, 0.5])}
    margin_P = torch.tensor([1.0, 0.0])
    batch = ReadBatch(margin_P, torch.zeros(2), Reading(), Reading(), labels)
    assert loss(Config(), batch).tolist() == pytest.approx([0.626523, 0.346574], abs=1e-6)
