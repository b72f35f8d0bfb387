"""Data of an iterative method out of opponents and demonstrations, beside its own samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from overopt.engines.drawn import DrawnSamples
from overopt.engines.iterative import optimize_iterative
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.iterative import KeptRows, RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.models.logprobs import score_logps
from overopt.worlds.tokens import EOS, Tokens

from . import tiny

ROUNDS = tiny.ROLLOUT.model_copy(update={"max_steps": 3, "learning_rate": 1e-2})
Built = KeptRows | RowPairs


class Watched:
    """Learns by likelihood from what it is told to build, and records all that it is handed."""

    __name__ = "watched"
    Config = dict

    def __init__(self, chooses: Callable[[Rollout], Built], *inputs: str, epochs: int = 1) -> None:
        self.INPUTS, self._chooses, self._epochs = inputs, chooses, epochs
        self.rollouts: list[Rollout] = []
        self.batches: list[Any] = []

    def training(self, config: Any) -> Training:
        return Training(epochs=self._epochs)

    def build(self, config: Any, rollout: Rollout, /) -> Built:
        self.rollouts.append(rollout)
        return self._chooses(rollout)

    def loss(self, config: Any, batch: Any, /) -> torch.Tensor:
        self.batches.append(batch)
        chosen: Reading = batch if isinstance(batch, Reading) else batch.chosen
        return -chosen.policy_logp.sum(-1)


def texts(rows: int = 24) -> Tokens:
    """Demonstrations longer than most samples: the liked word over and over, and the end."""
    length_N = np.full(rows, tiny.MAX_NEW_TOKENS)
    row = [tiny.LIKED] * (tiny.MAX_NEW_TOKENS - 1) + [EOS]
    return Tokens.from_flat(np.tile(row, rows), length_N)


def optimize(method: Watched, max_steps: int = 3) -> tuple[Trajectory, Any]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    inputs = replace(inputs, demonstrations=texts())
    settings = ROUNDS.model_copy(update={"max_steps": max_steps})
    return optimize_iterative(OpenedIterative(method, {}), settings, inputs), inputs.policy


def beside(rollout: Rollout | None) -> Rollout:
    assert rollout is not None
    return rollout


def same(reading: Reading, sampled: Reading) -> bool:
    """Whether a reading is of these responses, (K, T) each, up to padding."""
    width = min(reading.mask.shape[1], sampled.mask.shape[1])
    return all(
        torch.allclose(one[:, :width], other[:, :width], atol=1e-5)
        and not one[:, width:].any()
        and not other[:, width:].any()
        for one, other in (
            (reading.mask, sampled.mask),
            (reading.reference_logp, sampled.reference_logp),
        )
    )


def test_rows_are_numbered_samples_first_then_opponents_then_demonstrations() -> None:
    method = Watched(
        lambda rollout: KeptRows(rollout.demonstration_row_B), "reference_samples", "demonstrations"
    )
    optimize(method, 1)
    (rollout,) = method.rollouts
    assert rollout.row_BN.flatten().tolist() == list(range(32))
    assert rollout.opponent_row_BM.flatten().tolist() == list(range(32, 64))
    assert rollout.demonstration_row_B.tolist() == list(range(64, 72))
    with pytest.raises(ValueError, match="an opponent was not computed"):
        _ = rollout._replace(opponents=None).opponent_row_BM
    with pytest.raises(ValueError, match="a demonstration was not computed"):
        _ = rollout._replace(demonstrations=None).demonstration_row_B


@pytest.mark.parametrize("which", ["opponents", "demonstrations"])
def test_rows_beside_the_samples_are_learned_from(which: str) -> None:
    def chooses(rollout: Rollout) -> KeptRows:
        numbers = rollout.opponent_row_BM.flatten()
        return KeptRows(numbers if which == "opponents" else rollout.demonstration_row_B)

    method = Watched(chooses, "reference_samples", "demonstrations", "sampled_logp")
    trajectory, _ = optimize(method)
    # a demonstration is no sample
    assert trajectory.compute.samples_drawn == 3 * 2 * 32
    for rollout, batch in zip(method.rollouts, method.batches, strict=True):
        sampled = beside(getattr(rollout, which)).sampled.map(lambda part: part.flatten(0, 1))
        assert same(batch, sampled)
        assert batch.policy_logp.requires_grad
        assert torch.equal(batch.sampled_logp, sampled.policy_logp)
        drawn_by = batch.reference_logp if which == "opponents" else batch.policy_logp
        assert torch.allclose(batch.sampled_logp, drawn_by, atol=1e-4)


def test_reference_texts_count_where_they_are_read() -> None:
    """Three rounds of 8 prompts go over all 24; nothing is learned here."""
    nothing = KeptRows(torch.zeros(0, dtype=torch.int64))
    without, shown = (
        optimize(Watched(lambda rollout: nothing, *inputs))[0].compute
        for inputs in ((), ("demonstrations",))
    )
    read = tiny.prompts().length_N.sum() + texts().length_N.sum()
    assert shown.tokens_processed - without.tokens_processed == read
    assert shown.samples_drawn == without.samples_drawn


def test_pairs_may_be_of_two_kinds_and_stay_in_order() -> None:
    """Demonstrations against greedy samples, and one sample against another among them."""

    def chooses(rollout: Rollout) -> RowPairs:
        own_BN = rollout.row_BN
        return RowPairs(
            torch.cat([rollout.demonstration_row_B, own_BN[:, 0]]),
            torch.cat([rollout.opponent_row_BM[:, 0], own_BN[:, 1]]),
            torch.arange(16.0),
        )

    method = Watched(chooses, "greedy_samples", "demonstrations", epochs=2)
    optimize(method, 2)
    rollout, (first, second) = method.rollouts[0], method.batches
    assert isinstance(first, SamplePairs)
    shown, greedy = (
        beside(one).sampled.unbind(1)[0] for one in (rollout.demonstrations, rollout.opponents)
    )
    own = rollout.sampled.unbind(1)
    for batch in (first, second):
        for side, beside_B, sampled in (
            (batch.chosen, shown, own[0]),
            (batch.rejected, greedy, own[1]),
        ):
            assert same(side.take(torch.arange(8)), beside_B)
            assert same(side.take(torch.arange(8, 16)), sampled)
            assert side.label is not None and side.label.tolist() == list(range(16))
    assert not torch.allclose(first.chosen.policy_logp, second.chosen.policy_logp)


def test_imitation_of_demonstrations_makes_them_likelier() -> None:
    method = Watched(lambda rollout: KeptRows(rollout.demonstration_row_B), "demonstrations")
    _, policy = optimize(method, 40)
    prompts, shown = tiny.prompts(), texts()
    before, after = (score_logps(one, prompts, shown).sum(1) for one in (tiny.policy(), policy))
    assert (after > before + 5).all()
    assert after.mean() > -1


def test_rows_of_one_kind_are_read_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    read = DrawnSamples.read

    def counted(drawn: DrawnSamples, learner: Any, row_K: torch.Tensor, *more: Any) -> Reading:
        passes.append(len(row_K))
        return read(drawn, learner, row_K, *more)

    monkeypatch.setattr(DrawnSamples, "read", counted)
    optimize(Watched(lambda rollout: KeptRows(rollout.row_BN[:, 0]), "reference_samples"))
    assert passes == [8, 8, 8]
