from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import qrpo


def responses(log_ratio_B: Tensor, score_B: Tensor) -> Reading:
    """Responses of one token with these log-ratios and scores."""
    ratio_B1 = log_ratio_B[:, None]
    return Reading(ratio_B1, 0 * ratio_B1, torch.ones_like(ratio_B1), score=score_B)


def pair(chosen: tuple[float, float], rejected: tuple[float, float]) -> PairBatch:
    """Log-ratio and score of both, among samples with scores 0, 1, 2 and 3."""
    sides = (
        responses(torch.tensor([ratio]), torch.tensor([score]))
        for ratio, score in (chosen, rejected)
    )
    return PairBatch.of(sides)._replace(reference_score=torch.tensor([[2.0, 0.0, 3.0, 1.0]]))


def test_loss_by_hand() -> None:
    """q .75, log Z = log(.1 (e^10 - 1)) = 7.69737: (.75 - .769737 - .04)^2 = .003569 for r .4; q 0
    and r -8: (-.769737 + .8)^2 = .000916."""
    found = qrpo.loss(qrpo.Config(beta=0.1), pair((0.4, 2.5), (-8.0, -1.0)))
    assert qrpo.log_partition(qrpo.Config(beta=0.1)) == pytest.approx(7.6974, abs=1e-4)
    assert found.item() == pytest.approx((0.003569 + 0.000916) / 2, abs=1e-6)


def test_the_logarithm_starts_at_the_least_share() -> None:
    """log Z = log(1/3) at beta .5; q .5 and 0, which counts as 1/4; log-ratios 0."""
    found = qrpo.loss(qrpo.Config(beta=0.5, transform="log"), pair((0.0, 1.5), (0.0, -5.0)))
    upper, lower = -0.693147 + 0.549306, -1.386294 + 0.549306
    assert found.item() == pytest.approx((upper**2 + lower**2) / 2, abs=1e-5)


def test_an_equal_score_is_not_above() -> None:
    config = qrpo.Config(beta=1.0)
    one, other = pair((0.0, 2.0), (0.0, 2.0)), pair((0.0, 2.5), (0.0, 2.5))
    assert torch.equal(qrpo.loss(config, one), qrpo.loss(config, other))


@pytest.mark.parametrize("transform", ["identity", "log"])
@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_nothing_is_left_at_the_tilted_reference(transform: str, beta: float) -> None:
    """pi_ref exp(f(q)/beta)/Z, over 2,000 equally likely responses of different rewards."""
    config, count = qrpo.Config(beta=beta, transform=transform), 2000
    score_R = torch.linspace(-3.0, 3.0, count, dtype=torch.float64)
    quantile_R = torch.arange(1, count + 1, dtype=torch.float64) / count
    target_R = quantile_R if transform == "identity" else quantile_R.log()
    ratio_R = target_R / beta
    ratio_R = ratio_R - ratio_R.exp().mean().log()  # a policy's: its mean ratio is 1
    side = responses(ratio_R, score_R)
    batch = PairBatch(side, side, reference_score=score_R.expand(count, count))
    assert qrpo.loss(config, batch).max().item() < 1e-5
    still = responses(0 * ratio_R, score_R)
    assert qrpo.loss(config, batch._replace(chosen=still)).mean().item() > 0.02
