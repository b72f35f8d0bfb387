"""Samples of the initial and the optimized policy, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from overopt.report.noise_labels import name_noise
from overopt.report.stored.run import Excerpt
from overopt.report.tables.text import show_number

LONGEST_TEXT = 4000
"""Characters of one sample that are shown; the rest is in excerpts.json."""
HOW_TO_READ = (
    "Samples: the same prompt answered by the initial policy and by the policy furthest along KL. "
    "For each prompt the sample with the largest proxy − gold is shown beside a typical one."
)


def render_samples(excerpts: Iterable[Excerpt]) -> Iterator[str]:
    """Excerpts of one method, folded by proxy, noise and world."""
    ordered = sorted(excerpts, key=lambda one: (*_place(one), one.seed))
    several = len({one.world for one in ordered}) > 1
    for (proxy, noise, world), members in groupby(ordered, key=_place):
        words = f"Samples · {proxy} · {name_noise(noise)}"
        words += f" · world {world}" if several else ""
        yield f"<details><summary>{escape(words)}</summary>"
        yield from map(_sample, members)
        yield "</details>"


def _place(one: Excerpt) -> tuple[str, str, int]:
    """What the samples of one policy have in common, but for the seed."""
    return one.proxy, one.noise, one.world


def _sample(one: Excerpt) -> str:
    sides = "".join(
        f"<div><h4>{name}</h4><blockquote>{escape(_cut(text))}</blockquote>"
        f"<p class='marks'>gold <b>{show_number(gold, 2)}</b> · "
        f"proxy <b>{show_number(proxy, 2)}</b></p></div>"
        for name, text, gold, proxy in (
            ("Initial policy", one.initial, one.gold_initial, one.proxy_initial),
            ("Optimized", one.hacked, one.gold_hacked, one.proxy_hacked),
        )
    )
    return (
        f"<article><p class='prompt'>{escape(_cut(one.prompt))}</p><div class='pair'>{sides}</div>"
        f"<p class='note'>seed {one.seed}, KL of the policy {one.kl_nats:.3g} nats</p></article>"
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
