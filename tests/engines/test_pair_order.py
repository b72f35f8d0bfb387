"""Which pairs share a batch: those of similar length, unless the pairs of a batch interact."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.catalog import lookup, systems
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import pair_batches
from overopt.engines.pairs import optimize_pairs
from overopt.engines.rehearsals.made_up import MadeUpNumbers
from overopt.engines.rehearsals.sizes import PROMPTS
from overopt.engines.stacked.pair_cell import PairCell
from overopt.methods.contract.pairs import PairBatch, Revisions
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import beta_dpo, dpo, dr_dpo, kto
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

from . import tiny

NAMES = [name for name in lookup.names("methods") if systems.method(name).family == "pairs"]


def preferences(rows: int) -> Preferences:
    """Pairs whose two responses have 1 to 40 tokens."""
    length_P = np.random.default_rng(0).integers(1, 41, rows).astype(np.int32)
    responses = Tokens(np.ones((rows, 40), np.int32), length_P)
    prompts = Tokens(np.ones((rows, 1), np.int32), np.ones(rows, np.int32))
    return Preferences(prompts, responses, responses)


def epoch(rows: int, size: int, method: Any) -> list[npt.NDArray[np.int64]]:
    """The batches of a first epoch."""
    opened = OpenedPairs(method, method.Config())
    rng = np.random.default_rng(1)
    batches = pair_batches(preferences(rows), size, rng, opened.couples_pairs, opened.fewest_pairs)
    return list(_until(rows, batches))


def _until(rows: int, batches: Iterator[npt.NDArray[np.int64]]) -> Iterator[npt.NDArray[np.int64]]:
    """Batches until so many rows were in them."""
    seen = 0
    while seen < rows:
        batch = next(batches)
        seen += len(batch)
        yield batch


@pytest.mark.parametrize(
    ("method", "sorted_by_length"), [(dpo, True), (beta_dpo, False), (dr_dpo, False), (kto, False)]
)
def test_lengths_decide_only_where_pairs_do_not_interact(
    method: types.ModuleType, sorted_by_length: bool
) -> None:
    """Share of the variance of length that lies between 16 batches; 15/1023 is expected of none."""
    length_P = preferences(1024).chosen.length_N
    batches = epoch(1024, 64, method)
    assert sorted(np.concatenate(batches)) == list(range(1024))
    assert [len(batch) for batch in batches] == [64] * 16
    share = np.var([length_P[batch].mean() for batch in batches]) / length_P.var()
    assert share > 0.9 if sorted_by_length else share < 0.05


def test_a_method_that_needs_two_pairs_never_gets_one() -> None:
    """2,049 pairs are 31 batches of 64 and one of 65; who can do with one gets it at the end."""
    assert [len(batch) for batch in epoch(2049, 64, kto)] == [64] * 31 + [65]
    assert [len(batch) for batch in epoch(2050, 64, kto)] == [64] * 32 + [2]
    assert [len(batch) for batch in epoch(2049, 64, dr_dpo)] == [64] * 32 + [1]
    assert [len(batch) for batch in epoch(3, 64, kto)] == [3]
    assert sorted(len(batch) for batch in epoch(2049, 64, dpo)) == [1] + [64] * 32


def test_a_run_on_a_remainder_of_one_goes_on() -> None:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    assert inputs.preferences is not None
    inputs = replace(inputs, preferences=inputs.preferences.take(np.arange(33)))
    settings = tiny.PAIRS.model_copy(update={"max_steps": 6})
    assert len(optimize_pairs(OpenedPairs(kto, kto.Config()), settings, inputs).rows) == 6


@pytest.mark.parametrize("method", [dpo, dr_dpo])
def test_engines_take_the_order_that_the_method_asks_for(method: Any) -> None:
    """Native and stacked; the trl engine's steps are held to the native ones elsewhere."""
    seen: list[Reading] = []

    def loss(config: Any, batch: PairBatch) -> torch.Tensor:
        seen.append(batch.chosen)
        return dpo.loss(config, batch)

    asked = getattr(method, "INPUTS", ())
    watched: Any = types.SimpleNamespace(__name__="watched", loss=loss, INPUTS=asked)
    opened = OpenedPairs(watched, dpo.Config())
    settings = tiny.PAIRS.model_copy(update={"max_steps": 3})

    def inputs() -> Any:
        reference = tiny.policy()
        return tiny.run_inputs(tiny.twin(reference), reference)

    optimize_pairs(opened, settings, inputs())
    cell = PairCell(opened, settings, inputs())
    pairs = inputs().preferences
    order = pair_batches(pairs, settings.batch_size, np.random.default_rng(0), method is dr_dpo)
    for reading, index_B in zip(seen, islice(order, 3), strict=True):
        length_B = pairs.chosen.length_N[index_B]
        assert reading.mask.sum(-1).tolist() == length_B.tolist()
        drafted = cell.draft().pairs.responses
        assert np.array_equal(drafted.length_N[: len(index_B)], length_B)


@pytest.mark.parametrize("name", NAMES)
def test_who_couples_the_pairs_of_a_batch_says_so(name: str) -> None:
    """The losses of the other pairs, when all that is said of the last one changes."""
    opened = open_as(OpenedPairs, systems.method(name))
    before_B, after_B = (_losses(name, opened, by) for by in (0.0, 0.7))
    assert not torch.equal(before_B[-1], after_B[-1])
    coupled = not torch.equal(before_B[:-1], after_B[:-1])
    assert coupled == opened.couples_pairs, (
        f"{name}: a loss that couples pairs names random_batches in INPUTS, others do not"
    )


def _losses(name: str, method: OpenedPairs, by: float) -> torch.Tensor:
    """Loss of each made-up pair; the policy likes the tokens of the last one better by so much.

    Those of rejected responses twice as much, so that differences change, and so on.
    """
    made_up = MadeUpNumbers(name, method).pairs()
    batch = PairBatch(*(_moved(part, by * place) for place, part in enumerate(made_up, start=1)))
    memory = method.observe_pairs(method.begin({}), batch)
    return method.loss(batch._replace(memory=memory)).detach()


def _moved(part: Any, by: float) -> Any:
    """Readings with the log-probabilities of the last pair's tokens moved; all else as it is."""
    if isinstance(part, Revisions):
        return Revisions(*(_moved(reading, by) for reading in part))
    if not isinstance(part, Reading):
        return part
    last_R = torch.arange(len(part.mask)) % PROMPTS == PROMPTS - 1
    last = last_R.view(-1, *(1 for _ in part.mask.shape[1:]))
    return part._replace(policy_logp=part.policy_logp + by * last * part.mask)
