"""The Nelder-Mead search as a machine that is told one value at a time.

Whoever evaluates a point may take long to, so that the search keeps its state between values.

A contraction goes toward the reflected point where that is better than the worst one, else toward
the worst one, and an expansion is kept where it is better than the reflection. The search ends when
the worst and the best value of a whole simplex are less than a tolerance apart. The trainer of
Moskovitz et al. 2023 (https://arxiv.org/abs/2310.04373) contracts toward the worst point only,
keeps an expansion that is better than the best point, and ends when the population SD of the
values is below the tolerance, which it looks at after a shrinkage only.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

REFLECT, EXPAND, CONTRACT, SHRINK = 1.0, 2.0, 0.5, 0.5


class Vertex(NamedTuple):
    """A point (K,) and the value found there, of which less is better."""

    point_K: Tensor
    value: float


class Search(NamedTuple):
    """Where a search stands.

    asked_K: the point whose value is to be told next.
    phase: what it is to the simplex; "done" when the search has ended, at its best point.
    vertices: of the simplex that are known, best first once all are.
    waiting: vertices whose values are still unknown, besides the one that is asked for.
    reflected: while an expansion or a contraction is asked for.
    """

    asked_K: Tensor
    phase: str
    vertices: tuple[Vertex, ...] = ()
    waiting: tuple[Tensor, ...] = ()
    reflected: Vertex | None = None


def begin(first_K: Tensor, spread: float) -> Search:
    """A search from a point and from those that are further by ``spread`` in one coordinate."""
    further_KK = first_K + spread * torch.eye(len(first_K)).to(first_K)
    return Search(first_K, "vertex", waiting=tuple(further_KK.unbind()))


def told(search: Search, value: float, tolerance: float) -> Search:
    """The search after the value of ``asked_K``; it ends when values differ by less than that.

    Reference:
        A Simplex Method for Function Minimization, https://doi.org/10.1093/comjnl/7.4.308
    """
    found = Vertex(search.asked_K, value)
    if search.phase == "done":
        return search
    if search.phase == "vertex":
        vertices = (*search.vertices, found)
        if search.waiting:
            return Search(search.waiting[0], "vertex", vertices, search.waiting[1:])
        return _reflect(vertices, tolerance)
    *better, worst = search.vertices
    center_K = torch.stack([one.point_K for one in better]).mean(0)
    if search.phase == "reflect":
        if value < better[0].value:
            further_K = center_K + EXPAND * (found.point_K - center_K)
            return search._replace(asked_K=further_K, phase="expand", reflected=found)
        if value < better[-1].value:
            return _reflect((*better, found), tolerance)
        toward_K = found.point_K if value < worst.value else worst.point_K
        nearer_K = center_K + CONTRACT * (toward_K - center_K)
        return search._replace(asked_K=nearer_K, phase="contract", reflected=found)
    assert search.reflected is not None
    if search.phase == "expand":
        return _reflect((*better, min(found, search.reflected, key=_value)), tolerance)
    if value < min(search.reflected.value, worst.value):
        return _reflect((*better, found), tolerance)
    best, *others = search.vertices
    first_K, *rest = (best.point_K.lerp(one.point_K, SHRINK) for one in others)
    return Search(first_K, "vertex", (best,), tuple(rest))


def _reflect(vertices: tuple[Vertex, ...], tolerance: float) -> Search:
    """What is asked of a whole simplex: the worst vertex on the other side of the others."""
    ordered = tuple(sorted(vertices, key=_value))
    best, worst = ordered[0], ordered[-1]
    if worst.value - best.value < tolerance:
        return Search(best.point_K, "done", ordered)
    center_K = torch.stack([one.point_K for one in ordered[:-1]]).mean(0)
    return Search(center_K + REFLECT * (center_K - worst.point_K), "reflect", ordered)


def _value(vertex: Vertex) -> float:
    return vertex.value
