from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights
from overopt.methods.rollout import gradreg
from tabular_optima import table

CURVATURE = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)


def gradient_of(weights: Weights) -> Weights:
    """Of L = 1/2 x^T A x, for x in two weights."""
    whole = CURVATURE @ torch.stack([weights["a"], weights["b"]])
    return {"a": whole[0], "b": whole[1]}


def corrected(config: gradreg.Config, weights: Weights) -> Weights:
    first = gradient_of(weights)
    shift = gradreg.perturb(config, first)
    moved = {name: value + shift[name] for name, value in weights.items()}
    return gradreg.correct(config, first, gradient_of(moved))


def test_of_a_parabola_it_is_exact() -> None:
    """x = (1, -1): g = A x = (1.5, -.5), A g = (2.75, .25); g + .1 A g = (1.775, -.475)."""
    weights = {"a": torch.tensor(1.0).double(), "b": torch.tensor(-1.0).double()}
    for probe in (1e-3, 0.5):
        found = corrected(gradreg.Config(penalty=0.1, probe=probe), weights)
        assert found["a"].item() == pytest.approx(1.775, abs=1e-9)
        assert found["b"].item() == pytest.approx(-0.475, abs=1e-9)


def test_the_probe_has_the_length_that_was_asked_for() -> None:
    gradient = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[4.0]])}
    shift = gradreg.perturb(gradreg.Config(probe=0.1), gradient)
    assert shift["a"].tolist() == pytest.approx([0.06, 0.0])
    assert shift["b"].item() == pytest.approx(0.08)
    still = gradreg.perturb(gradreg.Config(), {"a": torch.zeros(2)})
    assert still["a"].tolist() == [0.0, 0.0]


def test_without_a_penalty_nothing_is_corrected() -> None:
    weights = {"a": torch.tensor(1.0).double(), "b": torch.tensor(2.0).double()}
    found = corrected(gradreg.Config(penalty=0.0), weights)
    assert found == gradient_of(weights)


def test_its_gradient_is_that_of_the_penalized_objective_of_an_enumerated_world() -> None:
    """Samples of theta, all listed by their chances; autograd gives grad (L + lambda/2 |grad L|^2).

    L(logits) = -E_pi[r]. Both gradients are of the method's loss of the samples of theta.
    """
    config = gradreg.Config(penalty=0.3, probe=1e-5)
    logits_R = table.REFERENCE_LOGP_R.clone().requires_grad_()
    objective = -(torch.softmax(logits_R, -1) * table.REWARD_R).sum()
    (exact_R,) = torch.autograd.grad(objective, logits_R, create_graph=True)
    penalized = objective + config.penalty / 2 * exact_R.square().sum()
    (expected_R,) = torch.autograd.grad(penalized, logits_R)
    chance_R = torch.softmax(logits_R.detach(), -1)
    advantage_R = table.REWARD_R - (chance_R * table.REWARD_R).sum()

    def read(at_R: Tensor) -> Reading:
        logp_BNT = torch.log_softmax(at_R, -1)[None, :, None]
        return Reading(logp_BNT, logp_BNT.detach(), torch.ones_like(logp_BNT))

    rollout = Rollout(table.REWARD_R[None], read(logits_R.detach()))

    def gradient(at_R: Tensor) -> Tensor:
        free_R = at_R.detach().clone().requires_grad_()
        step = RolloutStep(rollout, read(free_R), advantage_R[None])
        mean = (chance_R * gradreg.loss(config, step)).sum()
        return torch.autograd.grad(mean, free_R)[0]

    first = {"logits": gradient(logits_R)}
    assert torch.allclose(first["logits"], exact_R.detach(), atol=1e-9)
    shift = gradreg.perturb(config, first)
    second = {"logits": gradient(logits_R + shift["logits"])}
    found = gradreg.correct(config, first, second)
    assert torch.allclose(found["logits"], expected_R, atol=1e-5)
    assert not torch.allclose(first["logits"], expected_R, atol=1e-3)
