"""A ready sequence classifier as gold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSequenceClassification

from overopt.artifacts.tables import read_json
from overopt.errors import UserError
from overopt.models.hub import load_checked
from overopt.models.reading import Texts, open_reader
from overopt.models.rewards.reward import BATCH_TOKENS, classify, distinct_rows
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.spec.origins import ReaderOrigin
from overopt.worlds.contract import Gold, World
from overopt.worlds.hub.folders import good_output, open_model
from overopt.worlds.hub.world import HubWorld
from overopt.worlds.tokens import Tokens


def open_gold(folder: Path, world: World) -> Gold:
    """The classifier that the artifact names."""
    assert isinstance(world, HubWorld)
    record = read_json(folder / "gold.json")
    return ClassifierGold(ReaderOrigin.model_validate(record["classifier"]), world)


class ClassifierGold:
    """A sequence classifier of any architecture that scores text: raw gold (N,).

    One output is the score; of several, the log-odds of the good label,
    z_k - log sum over j != k of exp(z_j).
    """

    def __init__(self, origin: ReaderOrigin, world: Texts, role: str = "gold") -> None:
        folder = open_model(origin, role, "classifier")
        self._reader = open_reader(world, origin, role)
        self._model = load_checked(AutoModelForSequenceClassification, folder, origin, role)
        self._label = good_output(folder, origin)
        if self._model.config.pad_token_id is None and not hasattr(self._model, "score"):
            raise UserError(
                f"{role} {folder.path} names no pad_token_id; set it in its config.json."
            )

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Raw gold score of each response; equal responses to a prompt are scored once."""
        first_U, inverse_N = distinct_rows(prompts, responses)
        first, following = self._reader.read(prompts.take(first_U), responses.take(first_U))
        length_U = first.length_N + following.length_N
        gold_U = np.empty(len(length_U), dtype=np.float64)
        with evaluating(self._model):
            for index_B in bucket_rows(length_U, BATCH_TOKENS):
                batch = join(first.take(index_B), following.take(index_B), self._model.device)
                logits_BC = classify(self._model, batch).double()
                gold_U[index_B] = _good(logits_BC, self._label).cpu().numpy()
        gold_N = gold_U[inverse_N]
        if not np.isfinite(gold_N).all():
            raise FloatingPointError(f"{int((~np.isfinite(gold_N)).sum())} responses have no gold")
        return gold_N


def _good(logits_BC: torch.Tensor, label: int) -> torch.Tensor:
    if logits_BC.shape[1] == 1:
        return logits_BC[:, 0]
    others = [label_ for label_ in range(logits_BC.shape[1]) if label_ != label]
    return logits_BC[:, label] - logits_BC[:, others].logsumexp(1)
