"""What monitors say of a run of somebody else's: where they ring, or what they would need."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.catalog.lookup import names as names_of
from overopt.catalog.monitors import monitor
from overopt.errors import UserError
from overopt.monitors.contract import Look, OpenedMonitor
from overopt.own_runs.watching.verdict import Verdict

CONTROL = "constant-stop"
"""The control of scored monitors; of a single run it says nothing."""

_NEEDS = {
    "spread": "the scores of several reward models",
    "heldout_proxy": "a second reward model",
    "outlier_share": "hidden states of the reward model",
    "energy_loss": "activations of the policy's last layer",
    "length": "the mean length of responses",
    "entropy_nats": "the entropy of responses",
    "reward": "the reward",
    "kl_nats": "KL from the initial policy",
}


def open_monitors(asked: Sequence[str]) -> list[OpenedMonitor]:
    """The monitors of these names or files; of none, all that are known but the control.

    Raises:
        UserError: one is unknown or not as it should be, or two have one name.
    """
    wanted = asked or [name for name in names_of("monitors") if name != CONTROL]
    specs = [monitor(name) for name in dict.fromkeys(wanted)]
    taken: dict[str, str] = {}
    for one in specs:
        if one.name in taken:
            raise UserError(
                f"--monitor: {taken[one.name]} and {one.source} have the same name; rename one."
            )
        taken[one.name] = one.source
    return [OpenedMonitor(one) for one in specs]


def judge(
    monitors: Sequence[OpenedMonitor], looks: Sequence[Look], from_initial: bool = True
) -> tuple[Verdict, ...]:
    """What each monitor says of a run, at the limit of its own file.

    Args:
        monitors: opened.
        looks: what was seen, in the order of steps.
        from_initial: whether the first of them is the initial policy.
    """
    found = []
    for one in monitors:
        missing = tuple(_NEEDS.get(name, name) for name in one.lacking(looks))
        if one.spec.from_initial and not from_initial:
            missing = (*missing, "the initial policy")
        ring = None if missing else one.watch(looks)
        found.append(
            Verdict(
                one.spec.name,
                None if ring is None else looks[ring.look].step,
                "" if ring is None else ring.reason,
                one.limit,
                missing,
            )
        )
    return tuple(found)


class LiveMonitors:
    """Monitors that watch a run while it goes on; each rings once.

    Args:
        asked: names or files; none for no monitor.
    """

    def __init__(self, asked: Sequence[str]) -> None:
        self._monitors = open_monitors(asked) if asked else []
        self._rang: set[str] = set()

    def begin(self) -> None:
        """A training begins: whatever rang in an earlier one may ring again."""
        self._rang.clear()

    def look(self, looks: Sequence[Look]) -> list[str]:
        """What rings by the last look, a line each; one that lacks what it reads says so once."""
        said = []
        for verdict in judge(self._monitors, looks):
            if verdict.monitor not in self._rang and (verdict.missing or verdict.step is not None):
                self._rang.add(verdict.monitor)
                said.append(verdict.line)
        return said
