"""Every shipped monitor on numbers that were worked out by hand, and what holds for all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from overopt.catalog import lookup
from overopt.catalog.monitors import monitor
from overopt.errors import UserError
from overopt.monitors.contract import Look, OpenedMonitor
from overopt.stats.arrays import Floats

START = Look(0, 0.0, 10.0, 8.0, 0.0, 0.4, 0.0, 0.02, 0.0)
NOW = Look(50, 4.0, 14.0, 6.0, 1.5, 1.0, 0.9, 0.3, 2.5)
BY_HAND = {
    "kl-threshold": 4.0,
    "constant-stop": 50.0,
    "length-drift": 0.4,  # 14 / 10 - 1
    "ensemble-spread": 2.5,  # 1 / 0.4
    "mahalanobis": 0.28,  # 0.3 - 0.02
    "energy-loss": 2.5,
    "heldout-proxy": 0.6,  # 1.5 - 0.9
}


def opened(name: str, **given: float) -> OpenedMonitor:
    return OpenedMonitor(monitor(name, given))


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_the_statistic_is_the_one_by_hand(name: str) -> None:
    (_, value) = opened(name).values([START, NOW])
    assert value == pytest.approx(BY_HAND[name])


def climb(
    gain_K: Sequence[float] | Floats, d_K: Sequence[float] | Floats | None = None
) -> list[Look]:
    """Looks with these gains of the proxy, at d = 0, 1, 2, ... where nothing else is said."""
    at = d_K if d_K is not None else range(len(gain_K))
    return [
        Look(k, float(d * d), reward=float(gain))
        for k, (d, gain) in enumerate(zip(at, gain_K, strict=True))
    ]


def test_curvature_is_the_lost_share_of_the_steepest_climb() -> None:
    curvature = opened("proxy-curvature")
    # 6 d - d^2 has slope 6 at the start; 0 at d = 3, -2 at d = 4; no residual, so no margin
    looks = climb([6.0 * d - d * d for d in range(5)])
    assert curvature.values(looks) == [
        *(None, None, None), pytest.approx(1.0), pytest.approx(4.0 / 3.0)
    ]  # fmt: skip
    assert curvature.values(climb([d * d for d in range(5)]))[-1] == pytest.approx(0.0)
    # c = (0 - 1 - 3 + 3.5) / 4 = -1/8: slopes 1.625 and 0.875; one degree of freedom is left, whose
    # quantile is 6.31, so that the residual's margin hides the bend
    assert curvature.values(climb([0.0, 1.0, 3.0, 3.5]))[-1] == pytest.approx(0.0)


def test_of_a_log_that_begins_late_the_steepest_slope_is_one_that_was_seen() -> None:
    """10 d - d^2 from d = 2 to 4: slopes 6 and 2, a third is left; at d = 0 it would be a fifth."""
    d_K = [2.0, 2.5, 3.0, 3.5, 4.0]
    late = climb([10.0 * d - d * d for d in d_K], d_K)
    assert opened("proxy-curvature").values(late)[-1] == pytest.approx(2.0 / 3.0)


def test_a_proxy_that_only_falls_rings_and_one_that_stands_still_says_nothing() -> None:
    curvature = opened("proxy-curvature")
    ring = curvature.watch(climb([0.0, -0.3, -0.6, -0.9, -1.2]))
    assert ring is not None and (ring.look, ring.value) == (3, 2.0)
    assert ring.reason == "the proxy has fallen along sqrt(KL) from the start"
    assert curvature.values(climb([0.0] * 6)) == [None] * 6
    assert curvature.values(climb([0.3] * 4, [0.0, 0.0, 1.0, 1.0]))[-1] is None  # two places only


@pytest.mark.parametrize("looks", [9, 51])
def test_noise_on_a_straight_climb_seldom_rings(looks: int) -> None:
    """Slopes between neighbors rang on all of 51 looks, and the steepest was the noisiest."""
    rng = np.random.default_rng(0)
    d_K = np.sqrt(np.linspace(0.0, 9.0, looks))
    curvature = opened("proxy-curvature")
    rang = [
        curvature.watch(climb(0.7 * d_K + 0.05 * rng.normal(size=looks), d_K)) is not None
        for _ in range(100)
    ]
    bent = [
        curvature.watch(climb(np.minimum(0.7 * d_K, 1.0) + 0.05 * rng.normal(size=looks), d_K))
        for _ in range(20)
    ]
    assert np.mean(rang) <= 0.1
    assert all(ring is not None for ring in bent)


@pytest.mark.parametrize("name", lookup.names("monitors"))
def test_every_monitor_rings_above_its_limit_and_says_why(name: str) -> None:
    early = START._replace(step=5, kl_nats=0.25, reward=0.7)
    middle = START._replace(step=10, kl_nats=1.0, reward=1.0, heldout_proxy=1.0)
    looks = [START, early, middle, NOW._replace(reward=0.3, heldout_proxy=-0.5)]
    value = opened(name).values(looks)[-1]
    assert value is not None
    silent, loud = opened(name, limit=value), opened(name, limit=value - 1e-6)
    assert silent.watch(looks) is None
    ring = loud.watch(looks)
    assert ring is not None and ring.value > loud.limit and len(ring.reason) > 10


@pytest.mark.parametrize("name", lookup.names("monitors"))
def test_every_monitor_reads_what_it_says_and_the_limit_has_no_part(name: str) -> None:
    one, spec = opened(name), monitor(name)
    looks = [START, NOW, NOW._replace(step=90, kl_nats=9.0), NOW._replace(step=99, kl_nats=16.0)]
    needed = [
        Look(look.step, **{signal: getattr(look, signal) for signal in spec.reads})
        for look in looks
    ]
    assert one.values(needed) == one.values(looks) == opened(name, limit=1e9).values(looks)
    assert one.lacking(needed) == []
    bare = [Look(look.step) for look in looks]
    assert one.lacking(bare) == list(spec.reads)


@pytest.mark.parametrize("name", lookup.names("monitors"))
def test_no_monitor_knows_the_future(name: str) -> None:
    one = opened(name)
    looks = [START, NOW, NOW._replace(step=90, kl_nats=9.0, reward=1.7, length=30.0)]
    assert one.values(looks)[:2] == one.values(looks[:2])


def test_names_of_plug_ins_differ_between_kinds() -> None:
    """``bench show NAME`` finds one thing."""
    names = [name for kind in lookup.SINGULAR for name in lookup.names(kind)]
    assert not set(lookup.names("monitors")) & {
        name for kind in lookup.SINGULAR if kind != "monitors" for name in lookup.names(kind)
    }
    assert "constant-stop" in names


OWN = '''"""Mine: watches entropy."""

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param
{more}
READS = {reads}
ACTS = "{acts}"


@dataclass(frozen=True)
class Config:
    """Settings."""

    {field}: float = param(0.5, help="share that is lost")


def statistic(config: Config, seen: Seen) -> float | None:
    return {value}


def reason(config: Config, seen: Seen, value: float) -> str:
    return "entropy\\x1b[2J is gone"
'''


def write(tmp_path: Path, **other: str) -> str:
    parts = {
        "more": "", "reads": '("entropy_nats",)', "acts": "alarm", "field": "limit",
        "value": "1.0 - seen[-1].entropy_nats / seen[0].entropy_nats",
    }  # fmt: skip
    path = tmp_path / "mine.py"
    path.write_text(OWN.format(**{**parts, **other}), encoding="utf-8")
    return str(path)


def test_a_file_of_ones_own_is_a_monitor(tmp_path: Path) -> None:
    one = OpenedMonitor(monitor(write(tmp_path), {"limit": 0.2}))
    ring = one.watch([START, NOW])  # 1 - 6/8
    assert ring is not None and ring.look == 1 and ring.value == pytest.approx(0.25)
    assert "\x1b" not in ring.reason


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"reads": '("gold",)'}, "Unknown signal 'gold'"),
        ({"reads": '"entropy_nats"'}, "declares the signals"),
        ({"acts": "panic"}, 'ACTS = "alarm" or ACTS = "stop"'),
        ({"more": "FROM_INITIAL = 1"}, "write True or False"),
        ({"field": "level"}, "Config has no field limit"),
        ({"more": "from overopt.artifacts.gold import load_gold"}, "never gold"),
        ({"more": 'FAMILY = "pairs"'}, "this is no monitor; give it with --method"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, other: dict[str, str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        monitor(write(tmp_path, **other))


@pytest.mark.parametrize("value", ["float('nan')", "'high'", "True", "float('inf')"])
def test_a_statistic_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    one = OpenedMonitor(monitor(write(tmp_path, value=value)))
    with pytest.raises(UserError, match="finite number, or None"):
        one.values([START, NOW])


def test_a_look_has_no_place_for_gold() -> None:
    assert not any("gold" in name for name in Look._fields)
    assert math.isclose(sum(value is None for value in Look(1)), len(Look._fields) - 1)
