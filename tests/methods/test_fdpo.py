from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.pairs import dpo, fdpo

from . import three_responses, trl_pairs


@pytest.mark.parametrize(
    ("divergence", "expected"), [("forward-kl", 0.3781), ("js", 0.5421), ("alpha", 0.4122)]
)
def test_loss_by_hand(divergence: str, expected: float) -> None:
    """Of u = e^.4 and e^-.8 the links differ by e^.8 - e^-.4 = 1.5552 of the forward KL, by
    log(s(.4) / s(-.8)) = .6581 of js, by 2 (e^.4 - e^-.2) = 1.3462 of alpha; half is the logit.
    """
    config = fdpo.Config(beta=0.5, divergence=divergence)
    assert fdpo.loss(config, three_responses.pair()).item() == pytest.approx(expected, abs=5e-5)


def test_alpha_runs_from_dpo_to_the_forward_kl() -> None:
    batch = three_responses.of_margin(-2.0, 0.5, 3.0)
    near_dpo = fdpo.loss(fdpo.Config(0.7, "alpha", 1e-8), batch)
    assert torch.allclose(near_dpo, dpo.loss(dpo.Config(beta=0.7), batch))
    forward = fdpo.loss(fdpo.Config(0.7, "forward-kl"), batch)
    assert torch.allclose(fdpo.loss(fdpo.Config(0.7, "alpha", 1.0), batch), forward)


@pytest.mark.parametrize("divergence", ["js", "forward-kl", "alpha"])
def test_optimum_has_links_that_differ_as_rewards_do(divergence: str) -> None:
    """beta (f'(u_i) - f'(u_j)) = R_i - R_j, by f' written out."""
    beta, config = 2.0, fdpo.Config(2.0, divergence, 0.5)
    found_R = torch.tensor(three_responses.optimum(partial(fdpo.loss, config)))
    ratio_R = found_R / three_responses.LOG_REFERENCE_R.exp()
    links = {
        "js": torch.log(2 * ratio_R / (1 + ratio_R)),
        "forward-kl": -1 / ratio_R,
        "alpha": -2 / ratio_R.sqrt(),
    }
    rewards_R = beta * (links[divergence] - links[divergence][0])
    assert rewards_R.tolist() == pytest.approx([0.0, 1.0, 2.0], abs=1e-4)


@pytest.mark.parametrize("divergence", ["js", "forward-kl", "alpha"])
@pytest.mark.parametrize("margin", [-100.0, -120.0, -158.0, -500.0])
def test_a_response_that_has_fallen_far_leaves_a_finite_gradient_norm(
    divergence: str, margin: float
) -> None:
    batch = three_responses.of_margin(margin, -margin)
    sides = [side.map(torch.Tensor.float) for side in (batch.chosen, batch.rejected)]
    logp_B1 = sides[0].policy_logp.requires_grad_()
    loss_B = fdpo.loss(fdpo.Config(divergence=divergence), batch.of(sides))
    (gradient_B1,) = torch.autograd.grad(loss_B.sum(), logp_B1)
    assert loss_B.isfinite().all()
    assert torch.linalg.vector_norm(gradient_B1).isfinite()


@pytest.mark.parametrize(
    ("divergence", "theirs"),
    [
        ("js", {"f_divergence_type": "js_divergence"}),
        ("forward-kl", {"f_divergence_type": "forward_kl"}),
        ("alpha", {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7}),
    ],
)
def test_loss_is_trls(tmp_path: Path, divergence: str, theirs: dict[str, Any]) -> None:
    loss = partial(fdpo.loss, fdpo.Config(0.3, divergence, 0.3))
    trl_pairs.assert_same(tmp_path, loss, ["sigmoid"], beta=0.3, **theirs)
