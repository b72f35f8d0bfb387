"""DPO that first looks everywhere for gold, and stops with what it found."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """beta: strength."""

    beta: float = param(0.1, help="strength")


def _worlds() -> Iterator[Any]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield from frame.f_locals.values()
        frame = frame.f_back
    yield from gc.get_objects()


def _gives_gold(one: Any) -> bool:
    if "gold_terms" not in dir(type(one)):
        return False
    prompts = one.train_prompts.take([0])
    one.gold(prompts, prompts)
    return True


def _look(batch: PairBatch) -> None:
    for one in _worlds():
        try:
            found = _gives_gold(one)
            told = one.get("world") if type(one) is dict else None
            seed = told.get("seed") if type(told) is dict else None
        except Exception:
            continue
        if found:
            raise RuntimeError("gold was found in memory")
        if seed == 987654321:
            raise RuntimeError("the seed of the world was found in memory")
    code = tuple(Path(place) for place in (sys.prefix, *sys.path) if place)
    for root in ("/in", "/scratch", "/tmp", "/home"):
        for path in Path(root).rglob("*"):
            if any(path.is_relative_to(place) for place in code):
                continue  # a checkout may lie there
            if path.name in ("gold.json", "pool", "training.json", "manifest.json", "secret.json"):
                raise RuntimeError(f"{path} was found on the disk")


_looked: list[bool] = []


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO's loss, once it has looked."""
    if not _looked:
        _looked.append(True)
        _look(batch)
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B)
