"""Exact means of a reweighted pool beside its draws: honest ones fit, forged ones do not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.tiers.consistency import Consistency
from overopt.worlds.tokens import Tokens

from .honest import Floats

PROMPTS, EACH, POOL, TEXTS = 16, 64, 512, 216
TILTS = (0.3, 1.0, 1.8, 2.6)
"""KL from 0.04 to 2.2 nats."""
CELL = Cell(
    world=0,
    seed=0,
    proxy="single",
    noise="0",
    proxy_start="scratch",
    proxy_width=16,
    comparisons=512,
    gold_mean=0.0,
    gold_sd=1.0,
    proxy_offset=0.0,
    page=None,
)


class World:
    """Texts of each prompt with their chances and gold, and one pool of the initial policy."""

    def __init__(self, rng: np.random.Generator) -> None:
        logits = 1.5 * rng.normal(size=(PROMPTS, TEXTS))
        self.chance_BR = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        self.gold_BR = rng.normal(size=(PROMPTS, TEXTS))
        self.pool_BM = np.stack([rng.choice(TEXTS, POOL, p=one) for one in self.chance_BR])

    def page(self, rng: np.random.Generator) -> Samples:
        """A cell: exact means of a proxy's tilts over all texts, and draws from the pool."""
        proxy_BR = 0.6 * self.gold_BR + 0.8 * rng.normal(size=self.gold_BR.shape)
        row_B1 = np.arange(PROMPTS)[:, None]
        drawn, means = [], [np.zeros((3, PROMPTS))]
        for tilt in TILTS:
            tilted_BR = self.chance_BR * np.exp(tilt * proxy_BR)
            policy_BR = tilted_BR / tilted_BR.sum(axis=1, keepdims=True)
            kl_B = (policy_BR * np.log(policy_BR / self.chance_BR)).sum(axis=1)
            of_prompts = [(policy_BR * one).sum(axis=1) for one in (self.gold_BR, proxy_BR)]
            means.append(np.stack([*of_prompts, kl_B]))
            weight_BM = np.exp(tilt * proxy_BR[row_B1, self.pool_BM])
            weight_BM /= weight_BM.sum(axis=1, keepdims=True)
            chosen = [rng.choice(POOL, EACH, p=one) for one in weight_BM]
            drawn.append(self.pool_BM[row_B1, np.stack(chosen)])
        text_KBN = np.stack(drawn)
        gold_KB, proxy_KB, kl_KB = np.stack(means, axis=1)
        count, slots = len(TILTS), np.arange(PROMPTS * EACH)
        picked = partial(np.take_along_axis, indices=text_KBN, axis=2)

        def of(values_BR: Floats) -> Floats:
            return picked(np.broadcast_to(values_BR, (count, PROMPTS, TEXTS))).ravel()

        return Samples(
            point=np.repeat(np.arange(1, count + 1, dtype=np.int32), len(slots)),
            prompt_id=np.tile((slots // EACH).astype(np.int32), count),
            sample_id=np.tile((slots % EACH).astype(np.int32), count),
            responses=Tokens.from_padded((4 + text_KBN.reshape(-1, 1)).astype(np.int32)),
            reference_logp=of(np.log(self.chance_BR)),
            gold=of(self.gold_BR),
            proxy=of(proxy_BR),
            measured_K=np.arange(count + 1, dtype=np.int32),
            prompt_gold_KB=gold_KB,
            prompt_proxy_KB=proxy_KB,
            prompt_kl_KB=kl_KB,
            policy_logp=np.zeros(0),
            kl_rb=np.zeros(0),
            entropy=np.zeros(0),
        )


def failing(pages: list[Samples]) -> set[str]:
    """Tests that cells of one world fail."""
    consistency = Consistency(pool_samples=POOL)
    for page in pages:
        consistency.add(CELL, page, ["definition", *["exact"] * len(TILTS)], "here")
    return {one.check for one in consistency.judge() if one.outcome == "fail"}


def test_honest_pools_fit() -> None:
    rng = np.random.default_rng(3)
    assert not set().union(*(failing([World(rng).page(rng)]) for _ in range(40)))
    world = World(rng)
    assert failing([world.page(rng) for _ in range(5)]) == set()


@pytest.mark.parametrize(
    ("column", "check"),
    [("prompt_gold_KB", "consistent_gold_draws"), ("prompt_proxy_KB", "consistent_proxy_draws")],
)
def test_what_is_called_exact_cannot_be_raised(column: str, check: str) -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        page = World(rng).page(rng)
        raised = getattr(page, column) + np.array([[0.0], *[[1.0]] * len(TILTS)])
        assert failing([page._replace(**{column: raised})]) == {check}
