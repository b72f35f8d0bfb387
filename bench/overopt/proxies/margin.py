"""Margin: preferred responses have to lead by as much as gold holds the two sides apart.

Paper: Touvron et al. 2023, "Llama 2: Open Foundation and Fine-Tuned Chat Models"
(https://arxiv.org/abs/2307.09288), its section on reward modeling (equation number not verified):
    L = -log sigmoid(r_w - r_l - m)
where m grows with how clearly the annotator preferred the response. Here m = s |gold_w - gold_l|
in SDs of the initial policy, as in the released code of GRM (https://arxiv.org/abs/2406.10216),
whose baseline takes the difference of the pair's ratings with s = 1, and which was checked.
A margin tells more of gold than a comparison does: this system uses gold in training. Where noise
has flipped a label, the wrong side has to lead by the same margin, as in that code.
Deviations: the Llama 2 paper has three or four levels of margin, this is continuous. Margins are
never noisy, even where labels are.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("strength",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the margin."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    scale: float = param(
        1.0, help="s: margin per SD between the sides; 0 is Bradley-Terry", unit="1/SD",
        at_least=0.0,
    )  # fmt: skip


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison less its margin, nats, (P,).

    Args:
        config: the scale s.
        batch: rewards of both sides, and how far apart gold holds them.

    Reference:
        Llama 2, https://arxiv.org/abs/2307.09288
    """
    margin_P = config.scale * batch.labels["strength"]
    return -logsigmoid(batch.chosen_P - batch.rejected_P - margin_P)
