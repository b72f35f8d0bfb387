"""The loss of a member in training, with all that its system has asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from overopt.artifacts.label_columns import NO_COLUMNS, LabelColumns
from overopt.engines.proxy.members import OpenedMembers
from overopt.models.rewards.headed import Outputs
from overopt.models.sequences import Batch, Index, join
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate


class ReferenceLogps(NamedTuple):
    """Log-probability of every response token under the initial policy, nats, 0 on padding."""

    chosen_PT: npt.NDArray[np.float32]
    rejected_PT: npt.NDArray[np.float32]


class OnDevice(Protocol):
    """A model that says where it lies."""

    @property
    def device(self) -> torch.device:
        """Where its weights lie now."""
        ...


class MemberLoss:
    """The mean loss of a system over comparisons, differentiable in the model.

    Args:
        opened: which supplies the loss.
        read: what the model says of joined rows.
        preferences: P comparisons.
        model: in training; batches go where it lies, which training may change.
        reference: of both sides, where the system asks for it.
        columns: what labels say beside the preference, a row for each comparison.
        member: which of the system's members it is.
        previous_P: margin of each comparison by the model of the round before.
    """

    def __init__(
        self,
        opened: OpenedMembers,
        read: Callable[[Batch], Outputs],
        preferences: Preferences,
        model: OnDevice,
        reference: ReferenceLogps | None = None,
        columns: LabelColumns = NO_COLUMNS,
        member: int = 0,
        previous_P: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._opened, self._read, self._model, self._member = opened, read, model, member
        self._preferences, self._reference = preferences, reference
        self._columns, self._previous_P = columns, previous_P

    def __call__(self, index_B: Index) -> Tensor:
        """Over the comparisons of these rows."""
        part = self._preferences.take(index_B)
        both = concatenate([part.chosen, part.rejected])
        batch = join(concatenate([part.prompts, part.prompts]), both, self._model.device)
        outputs = self._read(batch)
        chosen_P, rejected_P = outputs.reward_B.chunk(2)
        chosen, rejected = self._readings(outputs, index_B, batch.mask_BT.sum(1).float())
        labels = {
            name: torch.from_numpy(value_P[index_B]).to(self._model.device)
            for name, value_P in self._columns.values.items()
        }
        previous_P = None
        if self._previous_P is not None:
            previous_P = torch.from_numpy(self._previous_P[index_B]).to(chosen_P)
        read = ReadBatch(chosen_P, rejected_P, chosen, rejected, labels, self._member, previous_P)
        return self._opened.loss(read).mean()

    def _readings(
        self, outputs: Outputs, index_B: Index, length_B: Tensor
    ) -> tuple[Reading, Reading]:
        output_2PC = _halves(outputs.output_BC)
        logp_2PT = _halves(outputs.logp_BT)
        reference_2PT: tuple[Tensor | None, Tensor | None] = (None, None)
        if self._reference is not None and outputs.logp_BT is not None:
            width = outputs.logp_BT.shape[1]
            chosen_PT, rejected_PT = (
                _wide(side_PT[index_B], width).to(outputs.logp_BT) for side_PT in self._reference
            )
            reference_2PT = (chosen_PT, rejected_PT)
        elif outputs.reference_logp_BT is not None:
            reference_2PT = _halves(outputs.reference_logp_BT)
        state_2PTD, length_2P = _halves(outputs.state_BTD), _halves(length_B)
        sides = zip(output_2PC, logp_2PT, reference_2PT, state_2PTD, length_2P, strict=True)
        chosen, rejected = (Reading(*parts) for parts in sides)
        return chosen, rejected


def _halves(value: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if value is None:
        return None, None
    chosen, rejected = value.chunk(2)
    return chosen, rejected


def _wide(logp_PT: npt.NDArray[np.float32], width: int) -> Tensor:
    """These rows brought to ``width`` columns; what is cut or added is padding."""
    rows_PT = torch.from_numpy(logp_PT[:, :width])
    return pad(rows_PT, (0, width - rows_PT.shape[1]))
