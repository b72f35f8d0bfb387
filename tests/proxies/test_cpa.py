import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.cpa import Config, couple, loss, prepare, transport

RNG = np.random.default_rng(0)
BETTER_SD = RNG.normal(size=(8, 3)) * [1.0, 2.0, 4.0] + [0.0, 0.0, 6.0]
WORSE_SD = RNG.normal(size=(8, 3)) * [3.0, 0.5, 1.0]
SHARP = Config(entropy=0.005)


def test_the_coupling_has_both_marginals_and_follows_an_isometry() -> None:
    """Turned and shuffled, each point finds its own image, though no axis is shared."""
    points = np.concatenate([BETTER_SD, WORSE_SD])
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    order = RNG.permutation(16)
    coupling_NM = couple(SHARP, points, points[order] @ turn + 5.0)
    assert coupling_NM.sum(0) == pytest.approx(np.full(16, 1 / 16))
    assert coupling_NM.sum(1) == pytest.approx(np.full(16, 1 / 16), rel=0.02)
    assert np.array_equal(coupling_NM.argmax(axis=0), order)


def test_rows_are_balanced_where_states_lie_near_a_few_directions() -> None:
    """As a trunk's do; a fixed 50 sweeps from nothing in each step left rows off by a tenth."""
    rng = np.random.default_rng(0)
    states_ND, states_MD = (
        rng.normal(size=(96, 2)) @ rng.normal(size=(2, 16)) + 0.05 * rng.normal(size=(96, 16))
        for _ in range(2)
    )
    coupling_NM = couple(Config(), states_ND, states_MD)
    assert coupling_NM.sum(1) * 96 == pytest.approx(np.ones(96), rel=0.02)
    assert coupling_NM.sum(0) * 96 == pytest.approx(np.ones(96), rel=1e-9)


@pytest.mark.parametrize("entropy", [0.2, 1.0])
def test_the_coupling_is_stationary(entropy: float) -> None:
    """log T = a_i + b_k - (slope of the distortion) / e, and no other factor of the slope fits."""
    rng = np.random.default_rng(1)
    source_ND, target_MD = rng.normal(size=(7, 3)), rng.normal(size=(5, 2))
    coupling_NM = couple(Config(entropy=entropy, steps=400), source_ND, target_MD)
    within, beyond = (cdist(one, one) / cdist(one, one).mean() for one in (source_ND, target_MD))
    apart_NMNM = (within[:, None, :, None] - beyond[None, :, None, :]) ** 2
    slope_NM = 2 * np.einsum("ikjl,jl->ik", apart_NMNM, coupling_NM)

    def residual(factor: float) -> float:
        left_NM = np.log(coupling_NM) + factor * slope_NM / entropy
        left_NM = left_NM - left_NM.mean(0) - left_NM.mean(1)[:, None] + left_NM.mean()
        return float(np.abs(left_NM).max())

    assert residual(1.0) < 1e-6
    assert residual(0.5) > 0.01 and residual(2.0) > 0.01


def test_preferences_of_the_same_pairs_elsewhere_are_carried_over() -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    there = transport(SHARP, BETTER_SD, WORSE_SD, BETTER_SD @ turn, WORSE_SD @ turn)
    back = transport(SHARP, BETTER_SD, WORSE_SD, WORSE_SD @ turn, BETTER_SD @ turn)
    assert there.min() > 0.7
    assert there + back == pytest.approx(np.ones(8), abs=1e-6)


def test_labels_of_targets_are_not_looked_at_and_those_of_sources_stay() -> None:
    category_P = np.array([0] * 8 + [1] * 8)
    turn, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    chosen_PD = np.concatenate([BETTER_SD, BETTER_SD @ turn])
    rejected_PD = np.concatenate([WORSE_SD, WORSE_SD @ turn])
    right = prepare(SHARP, KnownPairs(chosen_PD, rejected_PD, {"category": category_P}))["q"]
    chosen_PD[8:], rejected_PD[8:] = rejected_PD[8:].copy(), chosen_PD[8:].copy()
    wrong = prepare(SHARP, KnownPairs(chosen_PD, rejected_PD, {"category": category_P}))["q"]
    assert right[:8].tolist() == wrong[:8].tolist() == [1.0] * 8
    assert right[8:] + wrong[8:] == pytest.approx(np.ones(8), abs=1e-6)
    assert right[8:].min() > 0.7
    every = KnownPairs(chosen_PD, rejected_PD, {"category": category_P})
    assert prepare(Config(sources=1.0), every)["q"].tolist() == [1.0] * 16


@pytest.mark.parametrize(
    ("share", "kinds", "sources"),
    [(0.5, 5, 3), (0.5, 3, 2), (0.5, 4, 2), (0.3, 10, 3), (0.1, 4, 1)],
)
def test_sources_are_at_least_the_share(share: float, kinds: int, sources: int) -> None:
    rng, category_P = np.random.default_rng(0), np.repeat(np.arange(kinds), 2)
    chosen_PD, rejected_PD = (rng.normal(size=(2 * kinds, 3)) for _ in range(2))
    config = Config(sources=share, entropy=1.0, steps=1)
    q_P = prepare(config, KnownPairs(chosen_PD, rejected_PD, {"category": category_P}))["q"]
    assert set(category_P[q_P == 1.0]) == set(range(sources))


def test_a_blurred_coupling_knows_nothing() -> None:
    found = transport(Config(entropy=1e4), BETTER_SD, WORSE_SD, BETTER_SD, WORSE_SD)
    assert found == pytest.approx(np.full(8, 0.5), abs=1e-3)


def test_loss_by_hand() -> None:
    labels = {"q": torch.tensor([1.0, 0.5, 0.25])}
    margin_P = torch.tensor([1.0, 1.0, 1.0])
    batch = ReadBatch(margin_P, torch.zeros(3), Reading(), Reading(), labels)
    expected = [0.313262, 0.813262, 0.25 * 0.313262 + 0.75 * 1.313262]
    assert loss(Config(), batch).tolist() == pytest.approx(expected, abs=1e-6)
    sure = batch._replace(labels={"q": torch.ones(3)})
    torch.testing.assert_close(loss(Config(), sure), bradley_terry_loss(margin_P, torch.zeros(3)))
