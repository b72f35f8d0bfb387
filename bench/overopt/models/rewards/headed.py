"""Reward models with a head of their own on a trunk, which may keep its language head."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.logprobs import choose_logps, predict
from overopt.models.packed import is_plain, pack, packed_states
from overopt.models.sequences import Batch, align


class TrunkStates(NamedTuple):
    """Hidden states (B, D) of the last layer at the last token of each response and prompt."""

    last_BD: Tensor
    prompt_BD: Tensor


class Outputs(NamedTuple):
    """What a model says of B rows.

    reward_B: float32 (B,). output_BC: all outputs of the own head, None without one.
    logp_BT, reference_logp_BT: log-probabilities of the response's tokens by the model and by a
        frozen one, nats; None where not asked for.
    state_BTD: float32, states at the response's tokens, 0 on padding; None where not asked for.
    """

    reward_B: Tensor
    output_BC: Tensor | None = None
    logp_BT: Tensor | None = None
    reference_logp_BT: Tensor | None = None
    state_BTD: Tensor | None = None


class HeadedReward(nn.Module):
    """A trunk and a head; trained, saved and scored like one model.

    Args:
        trunk: a sequence classifier, whose own head stays unused, or a causal language model.
        head: from ``TrunkStates`` to outputs (B, C), the reward in column 0.
    """

    def __init__(self, trunk: PreTrainedModel, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head.to(trunk.device)

    @property
    def device(self) -> torch.device:
        """Where the trunk lies."""
        device: torch.device = self.trunk.device
        return device

    def states(self, batch: Batch) -> TrunkStates:
        """What the head reads of each row."""
        if not is_plain(self.trunk):
            return _pick(self._hidden(batch), batch, 0)
        packed = pack(batch, with_last=True)
        prompt_B = packed.place_BL.gather(1, batch.prompt_length_B[:, None] - 1).squeeze(1)
        read_BD = packed_states(self.trunk, packed, torch.cat([packed.last_B, prompt_B]))
        return TrunkStates(*read_BD.chunk(2))

    def _hidden(self, batch: Batch) -> Tensor:
        """States of the last layer at every token, (B, L, D)."""
        hidden_BLD: Tensor = self.trunk.base_model(
            input_ids=batch.ids_BL, attention_mask=batch.attention_BL
        ).last_hidden_state
        return hidden_BLD

    def outputs(self, states: TrunkStates) -> Tensor:
        """The head's outputs (B, C).

        Raises:
            ValueError: they have another shape.
        """
        output_BC: Tensor = self.head(states)
        if output_BC.dim() != 2 or len(output_BC) != len(states.last_BD):
            raise ValueError(
                f"the head returns shape {tuple(output_BC.shape)} for {len(states.last_BD)} "
                "responses; it must be one row for each, the reward in column 0"
            )
        return output_BC.float()

    def read(self, batch: Batch, language: bool, tokens: bool = False) -> Outputs:
        """Rewards and outputs of each row and, where asked for, what it says of its tokens.

        Args:
            batch: joined rows.
            language: log-probabilities, by the language head.
            tokens: states at the response's tokens.
        """
        if not language and not tokens:
            output_BC = self.outputs(self.states(batch))
            return Outputs(output_BC[:, 0], output_BC)
        first = batch.prompt_length_min - 1 if language else 0
        logp_BT = None
        if language:
            prediction = predict(self.trunk, batch, states=True, together=True)
            assert prediction.states_LBJD is not None
            hidden_BKD = prediction.states_LBJD[-1]
            logp_BT = choose_logps(prediction.logp_BKV, batch)
        else:
            hidden_BKD = self._hidden(batch)
        output_BC = self.outputs(_pick(hidden_BKD, batch, first))
        state_BTD = None
        if tokens:
            state_BTD = align(hidden_BKD[:, batch.prompt_length_min - first :], batch).float()
        return Outputs(output_BC[:, 0], output_BC, logp_BT, state_BTD=state_BTD)


def _pick(hidden_BLD: Tensor, batch: Batch, first: int) -> TrunkStates:
    """The two states of each row out of those from position ``first`` on."""
    row_B = torch.arange(len(hidden_BLD), device=hidden_BLD.device)
    last_B = batch.attention_BL.sum(1) - 1 - first
    prompt_B = batch.prompt_length_B - 1 - first
    # a head is trained in single precision, whatever the trunk's is
    return TrunkStates(hidden_BLD[row_B, last_B].float(), hidden_BLD[row_B, prompt_B].float())


def headed_rewards(model: HeadedReward, batch: Batch) -> Tensor:
    """Raw reward (B,) of each row, as ``models.reward.score`` reads it."""
    return model.read(batch, language=False).reward_B


def save_head(head: nn.Module, folder: Path) -> None:
    """Write a head's weights; equal weights give equal bytes."""
    weights = {name: value.contiguous().cpu() for name, value in head.state_dict().items()}
    save_file(weights, folder / "head.safetensors")
    (folder / "head.safetensors").chmod((folder / "config.json").stat().st_mode)


def load_head(head: nn.Module, folder: Path) -> None:
    """Read a head's weights in place."""
    weights: dict[str, Any] = load_file(folder / "head.safetensors")
    head.load_state_dict(weights)
