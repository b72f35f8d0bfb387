"""A reward model's head fitted to comparisons on frozen hidden states."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from torch import Tensor
from transformers import PreTrainedModel

from overopt.errors import UserError
from overopt.models.sequences import Batch, bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]

BATCH_TOKENS = 2048
RIDGE = 0.01
"""Weight of half the head's squared norm, which keeps it finite where comparisons are separable."""
_NEWTON_STEPS, _HALVINGS, _TOLERANCE = 100, 40, 1e-12


def last_states(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Hidden state of the last layer at the last token of each row, (B, D), differentiable."""
    hidden_BLD = model.base_model(
        input_ids=batch.ids_BL, attention_mask=batch.attention_BL
    ).last_hidden_state
    last_B = batch.attention_BL.sum(1) - 1
    states: Tensor = hidden_BLD[torch.arange(len(last_B), device=last_B.device), last_B]
    return states


def read_states(model: PreTrainedModel, prompts: Tokens, responses: Tokens) -> Floats:
    """Hidden state at the end of each response, (N, D), without gradient, in batches by length."""
    length_N = prompts.length_N + responses.length_N
    state_ND = np.empty((prompts.rows(), int(model.config.hidden_size)))
    with evaluating(model):
        for index_B in bucket_rows(length_N, BATCH_TOKENS):
            batch = join(prompts.take(index_B), responses.take(index_B), model.device)
            state_ND[index_B] = last_states(model, batch).double().cpu().numpy()
    return state_ND


def fit_head(difference_PD: Floats, ridge: float = RIDGE) -> Floats:
    """The linear head of the largest Bradley-Terry likelihood, with a ridge: one, by convexity.

    w = argmin over w of mean_P log(1 + exp(-w . d_P)) + ridge / 2 |w|^2, by Newton's method with
    halved steps.

    Args:
        difference_PD: d, states of the preferred response less those of the other.
        ridge: weight of the penalty, above 0.

    Returns:
        w, (D,).

    Raises:
        FloatingPointError: the minimum was not found.
    """
    pairs, width = difference_PD.shape
    head_D = np.zeros(width)

    def objective(w_D: Floats) -> float:
        return float(np.logaddexp(0.0, -difference_PD @ w_D).mean() + ridge / 2 * w_D @ w_D)

    for _ in range(_NEWTON_STEPS):
        wrong_P = expit(-difference_PD @ head_D)
        slope_D = -difference_PD.T @ wrong_P / pairs + ridge * head_D
        weighted_PD = difference_PD * (wrong_P * (1 - wrong_P))[:, None]
        curvature_DD = difference_PD.T @ weighted_PD / pairs + ridge * np.eye(width)
        step_D = np.linalg.solve(curvature_DD, slope_D)
        # half of this is how far the objective is from its minimum, as its curvature tells
        decrement = float(slope_D @ step_D)
        if decrement < _TOLERANCE:
            return head_D - step_D
        before = objective(head_D)
        for size in 0.5 ** np.arange(_HALVINGS):
            if objective(head_D - size * step_D) <= before - size * decrement / 4:
                head_D = head_D - size * step_D
                break
        else:
            break
    raise FloatingPointError("the head's fit on frozen hidden states has not converged")


def probe_head(model: PreTrainedModel, preferences: Preferences) -> None:
    """Give a sequence classifier the head that ``fit_head`` finds on its frozen states, in place.

    Nothing is drawn: members that start from the same trunk and comparisons get the same head.

    Raises:
        UserError: the model has no linear head of one output.
    """
    head = getattr(model, "score", None)
    if not isinstance(head, torch.nn.Linear) or head.weight.shape[0] != 1:
        raise UserError(
            f"a {type(model).__name__} has no linear head of one output to fit; "
            "use a system that starts from a fresh head."
        )
    chosen_PD = read_states(model, preferences.prompts, preferences.chosen)
    rejected_PD = read_states(model, preferences.prompts, preferences.rejected)
    head_D = torch.from_numpy(fit_head(chosen_PD - rejected_PD))
    with torch.no_grad():
        head.weight.copy_(head_D[None].to(head.weight))
