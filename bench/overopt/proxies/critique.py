"""Critique: the reward model writes a word on each attribute, and scores with what it has written.

Paper: Ankner et al. 2024, "Critique-out-Loud Reward Models" (https://arxiv.org/abs/2408.11791),
checked against the authors' released code: one model writes a critique and, having read it, gives
the reward; the reward's loss is on critiques that it writes itself, beside the likelihood of
critiques,
    L = -log sigmoid(r(y_w, c_w) - r(y_l, c_l)) + lambda mean_k -log p(word_k),   c ~ p
and it writes greedily where it scores.
Here a critique is one of three words, poor, fair or good, on each term of the gold rule. The words
to learn come from labels of terms: what is better of the two by a term is good, what is worse poor,
and where they are equal both are fair. r reads the state h at the response's last token and the
words, by two layers; no gradient goes through what is written.
Labels of terms tell more of gold than a comparison does: this system uses gold in training.
An analogue of the paper: its critiques are text, by the language head, of another model's making at
first.
Deviations: words are independent given h, so that a word does not read those before it; both losses
are trained from the start, where the paper first learns critiques alone; a word says how a response
compares with one other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid, one_hot

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

LABELS = ("terms",)
USES_GOLD = "training"
_WORDS = 3
"""Poor, fair, good."""


@dataclass(frozen=True)
class Config:
    """Settings of critiques."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    word_weight: float = param(1.25, help="lambda: of the words' likelihood", at_least=0.0)
    hidden: int = param(32, help="width of the layer that reads state and words", at_least=1)


class Critic(nn.Module):
    """Writes K words about the state, and gives a reward for state and words."""

    def __init__(self, width: int, terms: int, hidden: int) -> None:
        super().__init__()
        self.terms = terms
        self.write = nn.Linear(width, terms * _WORDS)
        self.read = nn.Linear(width + terms * _WORDS, hidden)
        self.judge = nn.Linear(hidden, 1)

    def forward(self, states: HeadStates) -> Tensor:
        """Reward and logits of the words (B, 1 + 3 K).

        Words are drawn in training, and the likeliest ones otherwise.
        """
        logits_BC = self.write(states.last_BD)
        logits_BKW = logits_BC.detach().reshape(-1, self.terms, _WORDS)
        if self.training:
            noise_BKW = -torch.empty_like(logits_BKW).exponential_().log()
            logits_BKW = logits_BKW + noise_BKW
        written_BKW = one_hot(logits_BKW.argmax(-1), _WORDS).to(logits_BC)
        read_BE = self.read(torch.cat([states.last_BD, written_BKW.flatten(1)], dim=1))
        return torch.cat([self.judge(torch.relu(read_BE)), logits_BC], dim=1)


def make_head(config: Config, shape: HeadShape) -> Critic:
    """What writes and reads.

    Args:
        config: width of the hidden layer.
        shape: width of the trunk, how many terms the rule has.
    """
    return Critic(shape.width, shape.labels["terms"], config.hidden)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry on rewards, and the words' cross-entropy, nats, (P,).

    The latter is the mean over terms and both sides.

    Args:
        config: lambda.
        batch: outputs of both sides; terms (P, K): 1 or -1 for the side that is better, or 0.

    Reference:
        Critique-out-Loud Reward Models, https://arxiv.org/abs/2408.11791
    """
    term_PK = batch.labels["terms"].long()
    told_P = sum(
        _words_loss(given(side.output_PC, "output_PC")[:, 1:], 1 + better_PK)
        for side, better_PK in ((batch.chosen, term_PK), (batch.rejected, -term_PK))
    )
    return -logsigmoid(batch.chosen_P - batch.rejected_P) + config.word_weight * told_P / 2


def _words_loss(logits_PC: Tensor, word_PK: Tensor) -> Tensor:
    """Mean cross-entropy of a critique's words, (P,)."""
    logits_PWK = logits_PC.reshape(len(logits_PC), -1, _WORDS).transpose(1, 2)
    return cross_entropy(logits_PWK, word_PK, reduction="none").mean(1)
