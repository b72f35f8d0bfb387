"""Opens a control: a reward that nobody learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from overopt.artifacts.gold import load_gold
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.scores import fingerprint
from overopt.artifacts.tables import read_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy.controls import OpenedControl
from overopt.proxies.contract.controls import Seen
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
GOLD = "gold"
"""Folder of the gold within a control that sees it."""


class Control:
    """Raw scores of a rule.

    Args:
        folder: holds the gold where the rule sees it.
        seed: of the run.
        opened: the rule.
        world: of the stage.
    """

    def __init__(self, folder: Path, seed: int, opened: OpenedControl, world: World) -> None:
        self._seed, self._opened = seed, opened
        place = folder / GOLD
        self._gold = load_gold(place, world) if place.is_dir() else None

    def raw(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Score (N,) of each response, in the rule's own unit."""
        gold_N = None if self._gold is None else np.asarray(self._gold(prompts, responses))
        length_N = responses.length_N.astype(np.float64)
        return self._opened.judge(Seen(length_N, draws(prompts, responses, self._seed), gold_N))


class ControlMember:
    """A control whose scores are recentered and scaled under the initial policy."""

    def __init__(self, folder: Path, control: Control) -> None:
        self._control = control
        scale = read_json(folder / "normalization.json")
        self.mean, self.sd = float(scale["mean"]), float(scale["sd"])

    def score(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Score (N,) of each response, in SDs of the initial policy around its mean."""
        return (self._control.raw(prompts, responses) - self.mean) / self.sd


def open_member(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> ControlMember:
    """A control of a run, by the JSON of its system's specification."""
    return ControlMember(folder, open_control(folder, world, system, inputs))


def open_control(
    folder: Path, world: World, system: Mapping[str, object], inputs: Mapping[str, Path]
) -> Control:
    """The rule of a control whose seed, and gold if it sees it, are written already."""
    spec = locate_own(ProxySystemSpec.model_validate(system), inputs)
    seed = int(read_json(folder / "control.json")["seed"])
    return Control(folder, seed, open_as(OpenedControl, spec), world)


def draws(prompts: Tokens, responses: Tokens, seed: int) -> Floats:
    """A standard normal number (N,) of each prompt and response, by their fingerprints and a seed.

    The bits are mixed by SplitMix64's finalizer; 52 of them make a uniform number strictly between
    0 and 1, whose normal quantile is the draw.

    Reference:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014, section 3
        (constants from memory; uniformity is tested).
    """
    bits_N = fingerprint(responses).view(np.uint64) ^ _mixed(fingerprint(prompts).view(np.uint64))
    bits_N = _mixed(bits_N ^ _mixed(np.full(len(bits_N), seed, np.uint64)))
    uniform_N = ((bits_N >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return np.asarray(ndtri(uniform_N), np.float64)


def _mixed(bits_N: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits_N = bits_N + np.uint64(0x9E37_79B9_7F4A_7C15)
    bits_N = (bits_N ^ (bits_N >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    bits_N = (bits_N ^ (bits_N >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    mixed_N: npt.NDArray[np.uint64] = bits_N ^ (bits_N >> np.uint64(31))
    return mixed_N
