from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import optimize
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch, Revisions
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import srpo

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)


def responses(log_ratio_B: Tensor) -> Reading:
    """Responses of one token with these log-ratios."""
    one_B1 = torch.ones_like(log_ratio_B)[:, None]
    return Reading(log_ratio_B[:, None], 0 * one_B1, one_B1)


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 0.0225), (1.0, 0.05), (0.5, 0.03625)])
def test_loss_by_hand(alpha: float, expected: float) -> None:
    """r(w) .4, r(l) -.8; r+ of (w|l) .6, (l|l) -.2, (w|w) .1, (l|w) -.5; beta .5:
    (.5 - .4)^2 + (.5 - .3)^2 = .05; (.5 (.6 + .4 + .5 + .8) - 1)^2 = .15^2."""
    answers = [responses(torch.tensor([value])) for value in (0.4, -0.8)]
    revised = [responses(torch.tensor([value])) for value in (0.6, -0.2, 0.1, -0.5)]
    batch = PairBatch.of(answers)._replace(revisions=Revisions(*revised))
    (found,) = srpo.loss(srpo.Config(beta=0.5, reviser_weight=alpha), batch).tolist()
    assert found == pytest.approx(expected)


def test_loss_at_the_start() -> None:
    """All log-ratios 0: (1-alpha) 1 + alpha (1/4 + 1/4)."""
    still = responses(torch.zeros(2))
    batch = PairBatch(still, still, revisions=Revisions(still, still, still, still))
    assert srpo.loss(srpo.Config(reviser_weight=0.4), batch).tolist() == pytest.approx([0.8] * 2)


def policies(beta: float, alpha: float) -> tuple[Tensor, Tensor]:
    """Answers (R,) and revisions (R, R) of each answer, at the minimum over all ordered pairs."""
    config = srpo.Config(beta=beta, reviser_weight=alpha)
    first_P, second_P = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    wins_P = torch.sigmoid(REWARD_R[first_P] - REWARD_R[second_P])
    chance_P = REFERENCE_R[first_P] * REFERENCE_R[second_P] * wins_P  # first chosen

    def value(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logits = torch.tensor(flat, requires_grad=True)
        ratio_R = torch.log_softmax(logits[:3], -1) - REFERENCE_R.log()
        revised_RR = torch.log_softmax(logits[3:].view(3, 3), -1) - REFERENCE_R.log()
        revisions = Revisions(
            *(
                responses(revised_RR[answer_P, revision_P])
                for answer_P, revision_P in (
                    (second_P, first_P),
                    (second_P, second_P),
                    (first_P, first_P),
                    (first_P, second_P),
                )
            )
        )
        batch = PairBatch(
            responses(ratio_R[first_P]), responses(ratio_R[second_P]), revisions=revisions
        )
        loss = (chance_P * srpo.loss(config, batch)).sum()
        (slope,) = torch.autograd.grad(loss, logits)
        return loss.item(), slope.numpy()

    found = optimize.minimize(value, np.zeros(12), jac=True, method="BFGS", options={"gtol": 1e-11})
    logits = torch.tensor(found.x)
    return torch.softmax(logits[:3], -1), torch.softmax(logits[3:].view(3, 3), -1)


@pytest.mark.parametrize("alpha", [0.2, 0.5])
def test_its_optimum_is_the_policy_that_needs_least_revision(alpha: float) -> None:
    """pi+(y'|y) ~ pi_ref exp(P(y' beats y)/beta), pi ~ pi_ref/Z, whatever alpha."""
    answers_R, revisions_RR = policies(0.5, alpha)
    beats_RR = torch.sigmoid(REWARD_R[None, :] - REWARD_R[:, None])  # [answer, revision]
    tilted_RR = REFERENCE_R * torch.exp(beats_RR / 0.5)
    assert torch.allclose(revisions_RR, tilted_RR / tilted_RR.sum(1, keepdim=True), atol=1e-6)
    expected_R = REFERENCE_R / tilted_RR.sum(1)
    assert torch.allclose(answers_R, expected_R / expected_R.sum(), atol=1e-6)
    assert answers_R.tolist() == pytest.approx([0.3563, 0.3220, 0.3216], abs=1e-4)
