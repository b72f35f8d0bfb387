"""Novelty of responses: how badly a small model foretells what the proxy makes of them.

The engine draws responses of the initial policy to training prompts, reads with the proxy's trunk
the state at the last token of each, which its head scores, and trains a module of the method's own
(``make_predictor``) to foretell it from the embeddings of the proxy's first layer. What is trained
and what tells novel responses is the same error (``prediction_error``).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn


class PredictorShape(NamedTuple):
    """Widths of what a predictor reads, E, and of what it foretells, D."""

    embedded: int
    target: int


class NoveltyMethod(Protocol):
    """What a method supplies whose pool has ``novelty_BN``."""

    def make_predictor(self, config: Any, shape: PredictorShape, /) -> nn.Module:
        """A module from (embedded_RLE, length_R) to predictions (R, D), its weights at random.

        Rows are a prompt and its response, of ``length_R`` tokens; what is behind them is filler.
        """
        ...

    def prediction_error(self, config: Any, predicted_RD: Tensor, target_RD: Tensor, /) -> Tensor:
        """Error of each response, (R,); the engine trains its mean."""
        ...
