"""Honest entries of a made-up language, in numpy alone: their truth is known, and they cost little.

The next token depends on the last one. A policy is the initial policy tilted by a proxy of gold, so
that its samples have more gold the further it moves, as those of a trained one have.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.worlds.tokens import EOS, Tokens

Floats = npt.NDArray[np.float64]

WORDS = 12
LONGEST = 8
TILTS = (0.15, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
"""How far the policies of a cell are tilted: KL from 0.02 to some 8 nats."""


@dataclass
class Entry:
    """Cells of an entry, with the samples of each; ``estimators`` of all measured points."""

    cells: list[Cell] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)
    estimators: list[str] = field(default_factory=list)

    def mapped(self, change: object) -> Entry:
        """The entry with its samples changed by a function of cell and samples."""
        assert callable(change)
        pairs = zip(self.cells, self.samples, strict=True)
        return replace(self, samples=[change(cell, one) for cell, one in pairs])


class Language:
    """Initial policy, gold and proxy; the last word of every row ends a response."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.logits_PV = rng.normal(size=(WORDS, WORDS))
        self.logits_PV[:, -1] -= 1.5
        self.gold_V = np.append(rng.normal(size=WORDS - 1), 0.0)
        self.proxy_V = 0.7 * self.gold_V + np.append(0.7 * rng.normal(size=WORDS - 1), 0.0)
        self.direction_PV = self.proxy_V + 0.3 * rng.normal(size=(WORDS, WORDS))

    def policy(self, tilt: float) -> Floats:
        """Log-probability of every next word after every word, (P, V)."""
        return _log_softmax(self.logits_PV + tilt * self.direction_PV)


@dataclass(frozen=True)
class Drawn:
    """Responses of a policy, (R,), with what is stored of each."""

    responses: Tokens
    policy_logp: Floats
    reference_logp: Floats
    kl_rb: Floats
    entropy: Floats
    gold: Floats
    proxy: Floats

    def take(self, index: npt.NDArray[np.int64]) -> Drawn:
        """Some rows, in this order."""
        arrays = (getattr(self, name)[index] for name in list(self.__dataclass_fields__)[1:])
        return Drawn(self.responses.take(index), *arrays)


def draw(language: Language, logp_PV: Floats, rows: int, rng: np.random.Generator) -> Drawn:
    """Sample a policy word by word."""
    reference_PV = _log_softmax(language.logits_PV)
    edge_PV = np.exp(logp_PV).cumsum(axis=1)
    kl_P = (np.exp(logp_PV) * (logp_PV - reference_PV)).sum(axis=1)
    entropy_P = -(np.exp(logp_PV) * logp_PV).sum(axis=1)
    before = np.zeros(rows, np.int64)
    alive = np.ones(rows, bool)
    ids_RT = np.zeros((rows, LONGEST), np.int32)
    sums = np.zeros((6, rows))
    for t in range(LONGEST):
        uniform = rng.random(rows) * edge_PV[before, -1]
        word = np.minimum((edge_PV[before] < uniform[:, None]).sum(axis=1), WORDS - 1)
        found = (
            *(logp_PV[before, word], reference_PV[before, word], kl_P[before], entropy_P[before]),
            *(language.gold_V[word], language.proxy_V[word]),
        )
        for total, one in zip(sums, found, strict=True):
            total += np.where(alive, one, 0.0)
        ids_RT[:, t] = np.where(alive, np.where(word == WORDS - 1, EOS, 4 + word), 0)
        alive &= word != WORDS - 1
        before = word
    return Drawn(Tokens.from_padded(ids_RT), *sums)


def make_samples(cell: Cell, parts: list[Drawn], prompts: int, first_row: int) -> Samples:
    """The page of a cell whose points were sampled in this order."""
    each = len(parts[0].gold) // prompts
    count = len(parts)

    def joined(name: str) -> Floats:
        return np.concatenate([getattr(one, name) for one in parts])

    def of_prompts(values: Floats) -> Floats:
        means = values.reshape(count, prompts, each).mean(axis=2)
        return np.concatenate([np.zeros((1, prompts)), means])

    slots = np.arange(prompts * each)
    gold, proxy = joined("gold"), joined("proxy")
    measured = np.arange(first_row, first_row + count + 1, dtype=np.int32)
    flat = np.concatenate([one.responses.flat() for one in parts])
    length = np.concatenate([one.responses.length_N for one in parts])
    return Samples(
        point=np.repeat(measured[1:], len(slots)),
        prompt_id=np.tile((slots // each).astype(np.int32), count),
        sample_id=np.tile((slots % each).astype(np.int32), count),
        responses=Tokens.from_flat(flat, length),
        reference_logp=joined("reference_logp"),
        gold=gold,
        proxy=proxy,
        measured_K=measured,
        prompt_gold_KB=of_prompts((gold - cell.gold_mean) / cell.gold_sd),
        prompt_proxy_KB=of_prompts(proxy - cell.proxy_offset),
        prompt_kl_KB=of_prompts(joined("kl_rb")),
        policy_logp=joined("policy_logp"),
        kl_rb=joined("kl_rb"),
        entropy=joined("entropy"),
    )


def remade(cell: Cell, samples: Samples) -> Samples:
    """The page with the means of its prompts taken again, as a forger would."""
    prompts, count = samples.prompt_gold_KB.shape[1], len(samples.measured_K) - 1

    def of_prompts(values: Floats, first: Floats) -> Floats:
        means = values.reshape(count, prompts, -1).mean(axis=2)
        return np.concatenate([first[None], means])

    return samples._replace(
        prompt_gold_KB=of_prompts(
            (samples.gold - cell.gold_mean) / cell.gold_sd, samples.prompt_gold_KB[0]
        ),
        prompt_proxy_KB=of_prompts(samples.proxy - cell.proxy_offset, samples.prompt_proxy_KB[0]),
        prompt_kl_KB=of_prompts(samples.kl_rb, samples.prompt_kl_KB[0]),
    )


def make_cell(language: Language, world: int, seed: int, rng: np.random.Generator) -> Cell:
    """A cell's identity and scales, without its files."""
    pool = draw(language, language.policy(0.0), 2000, rng)
    return Cell(
        world=world,
        seed=seed,
        proxy="single",
        noise="0",
        proxy_start="scratch",
        proxy_width=16,
        comparisons=512,
        gold_mean=float(pool.gold.mean()),
        gold_sd=float(pool.gold.std(ddof=1)),
        proxy_offset=float(pool.proxy.mean()),
        page=None,
    )


def make_entry(
    rng: np.random.Generator,
    worlds: int = 3,
    seeds: int = 5,
    prompts: int = 128,
    each: int = 8,
    keep: int = 1,
    picks: float = 1.0,
) -> Entry:
    """An honest entry; with ``keep`` above 1, the best of so many samples by gold in some slots.

    Every world has a language, every seed policies of its own: the same tilts of a proxy that is a
    little another one.
    """
    entry = Entry(estimators=["definition"] + ["rb"] * len(TILTS))
    for world in range(worlds):
        language = Language(rng)
        plain = language.direction_PV
        for seed in range(seeds):
            language.direction_PV = plain + 0.3 * rng.normal(size=plain.shape)
            cell = make_cell(language, world, seed, rng)
            parts = [_kept(language, tilt, prompts * each, keep, picks, rng) for tilt in TILTS]
            entry.cells.append(cell)
            entry.samples.append(make_samples(cell, parts, prompts, 9 * len(entry.samples)))
    return entry


def _kept(
    language: Language, tilt: float, rows: int, keep: int, picks: float, rng: np.random.Generator
) -> Drawn:
    """Samples of a policy; in a share ``picks`` of the slots, the best of ``keep`` by gold."""
    drawn = draw(language, language.policy(tilt), rows * keep, rng)
    if keep == 1:
        return drawn
    best = drawn.gold.reshape(-1, keep).argmax(axis=1)
    best[rng.random(rows) >= picks] = 0
    return drawn.take(np.arange(rows) * keep + best)


def _log_softmax(logits_PV: Floats) -> Floats:
    shifted = logits_PV - logits_PV.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
