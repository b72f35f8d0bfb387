"""How a reward-side system trains its members and makes one of them, opened once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.engines.method.opened import Opened
from overopt.engines.proxy.loss import check_loss
from overopt.errors import UserError
from overopt.proxies.contract import ProxySystem
from overopt.proxies.contract.heads import HeadShape, ReadBatch, TrainedStates
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.contract.labels import PairTags
from overopt.proxies.contract.members import MemberTraining, Weights


class OpenedMembers(Opened[ProxySystem]):
    """Gives its members heads, tells them apart, trains and merges them."""

    def __init__(self, functions: ProxySystem, config: object) -> None:
        super().__init__(functions, config)
        self._vary = self._optional("vary")
        self._merge = self._optional("merge")
        self._make_head = self._optional("make_head")
        self._settle = self._optional("settle")
        self._loss = self._optional("loss")
        self._route = self._optional("route")
        self._prepare = self._optional("prepare")

    def vary(self, member: int) -> MemberTraining:
        """The training of a member; the task's where nothing is said.

        Raises:
            UserError: its rate or dropout is out of bounds.
        """
        if self._vary is None:
            return MemberTraining()
        found: MemberTraining = self._vary(self._config, member)
        if not (0 < found.rate < math.inf and 0 <= found.dropout < 1):
            raise UserError(
                f"{self.name}: vary returns {found} for member {member}; a rate is above 0, and "
                "dropout from 0 to below 1."
            )
        return found

    def make_head(self, shape: HeadShape, seed: int) -> nn.Module:
        """A fresh head drawn from a seed; the global random state is left as it was."""
        assert self._make_head is not None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head: nn.Module = self._make_head(self._config, shape)
        return head

    def settle(self, head: nn.Module, trained: TrainedStates) -> None:
        """Set what the head holds besides; only where the system says so.

        The head is in evaluation mode, and its gradients are let alone.
        """
        assert self._settle is not None
        with torch.enable_grad():
            self._settle(self._config, head, trained)
        head.zero_grad(set_to_none=True)

    def loss(self, batch: ReadBatch) -> Tensor:
        """Loss of each comparison, (P,); Bradley-Terry by default.

        Raises:
            ValueError: it has another shape.
        """
        if self._loss is None:
            return -logsigmoid(batch.chosen_P - batch.rejected_P)
        return check_loss(self.name, self._loss(self._config, batch), len(batch.chosen_P))

    def prepare(self, known: KnownPairs) -> dict[str, npt.NDArray[np.float32]]:
        """Further columns of the pairs; only where the system makes some.

        Raises:
            UserError: one has another name or shape than it may have, or is not finite.
        """
        assert self._prepare is not None
        made = {}
        for name, value in self._prepare(self._config, known).items():
            column = np.asarray(value, np.float32)
            if name in known.labels or column.shape[:1] != known.chosen_PD.shape[:1]:
                raise UserError(
                    f"{self.name}: prepare returns the column {name!r} of shape {column.shape} for "
                    f"{len(known.chosen_PD)} pairs; it must have a row for each, and a name that "
                    "no column of LABELS has."
                )
            if not np.isfinite(column).all():
                raise UserError(f"{self.name}: prepare returns NaN or infinity in {name!r}.")
            made[name] = column
        return made

    def route(self, features: PairTags, budget: int) -> npt.NDArray[np.bool_]:
        """Which of P pairs gold labels, (P,).

        Raises:
            UserError: it is no mask of the pairs, or asks for more than the budget.
        """
        assert self._route is not None
        mask_P = np.asarray(self._route(self._config, features, budget))
        pairs = len(features.tag_PF)
        if mask_P.dtype != np.bool_ or mask_P.shape != (pairs,):
            raise UserError(
                f"{self.name}: route returns {mask_P.dtype} of shape {mask_P.shape} for {pairs} "
                f"pairs; it must be bool of shape ({pairs},)."
            )
        if mask_P.sum() > budget:
            raise UserError(
                f"{self.name}: route asks gold for {mask_P.sum()} labels; its budget is {budget}."
            )
        return mask_P

    def merge(self, weights: Sequence[Weights]) -> Weights:
        """Weights of the merged reward model; only where the system merges."""
        assert self._merge is not None
        merged: Weights = self._merge(self._config, weights)
        return merged
