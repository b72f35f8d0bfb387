"""``bench new``: a working file of a method, proxy system, task or monitor, to be changed."""

from __future__ import annotations

import re
from pathlib import Path

from overopt.catalog import lookup, toml_files
from overopt.catalog.declarations import unknown
from overopt.commands.options.names import same_name
from overopt.commands.printing import print_text
from overopt.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9_-]+")

_METHOD = '''"""{title}: say in one line what it does.

Paper: none yet. Name it here as the shipped methods do, with its equation:
    L = max(0, 1 - beta (r_w - r_l)),   r = log pi(y|x) - log pi_ref(y|x), summed over tokens
Deviations: say where this file departs from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"  # or rollout, iterative, selection, merge: see bench list methods
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)  # what moves the policy along KL
USES_GOLD = "none"  # a method is never handed gold unless it says so


@dataclass(frozen=True)
class Config:
    """Settings: each has a default, a meaning, a unit and bounds."""

    beta: float = param(0.1, help="the target margin is 1 / beta", unit="1/nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Loss of each pair, shape (B,); the engine takes the mean.

    Args:
        config: the settings.
        batch: chosen and rejected responses; ``log_ratio`` is log pi - log pi_ref of each, (B,).
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return (1 - config.beta * margin_B).clamp(min=0)
'''

_PROXY = '''"""{title}: say in one line what it does.

Paper: none yet. Name it here as the shipped proxies do, with its equation:
    R(x, y) = mean_i R_i(x, y) - c SD_i R_i(x, y)
Deviations: say where this file departs from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings: each has a default, a meaning, a unit and bounds."""

    members: int = param(3, help="reward models, same pairs, different seeds", at_least=1)
    caution: float = param(1.0, help="c: price of the members' disagreement", at_least=0.0)


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One score of each response out of those of the members.

    Args:
        config: the settings.
        score_MN: scores of M members for N responses, in SDs of the initial policy.

    Returns:
        Shape (N,).
    """
    spread_N = score_MN.std(axis=0)
    return np.asarray(score_MN.mean(axis=0) - config.caution * spread_N, np.float64)
'''

_MONITOR = '''"""{title}: say in one line what it watches.

Paper: none yet. Name it here as the shipped monitors do, with its equation:
    statistic = 1 - H / H_init,   H = entropy of a response, nats
Deviations: say where this file departs from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("entropy_nats",)  # or others of overopt.spec.monitor; never gold
ACTS = "alarm"  # or stop


@dataclass(frozen=True)
class Config:
    """Settings: each has a default, a meaning, a unit and bounds."""

    limit: float = param(0.5, help="share of the initial entropy that is lost when it rings")


def statistic(config: Config, seen: Seen) -> float | None:
    """How suspicious the last look is; None where nothing can be said yet.

    Args:
        config: the settings, of which ``limit`` has no part here.
        seen: all looks so far, the initial policy first.
    """
    start, now = seen[0].entropy_nats, seen[-1].entropy_nats
    return None if not start or now is None else 1.0 - now / start


def reason(config: Config, seen: Seen, value: float) -> str:
    """What is told when it rings."""
    return f"{{value:.0%}} of the initial entropy is lost"
'''

_TASK_LIKE = "tabular"
KINDS = ("method", "proxy", "task", "monitor")


def new(kind: str, name: str, like: str | None) -> int:
    """Write the file into the present folder, and say what to do with it.

    Args:
        kind: ``method``, ``proxy``, ``task`` or ``monitor``.
        name: what it is called in results, and the file's name.
        like: a shipped one to start from a copy of; by default a short example.

    Raises:
        UserError: the name cannot be used, or the file exists.
    """
    if kind not in KINDS:
        raise UserError(unknown("kind", kind, KINDS))
    several = {singular: plural for plural, singular in lookup.SINGULAR.items()}[kind]
    path = Path(f"{name}.toml" if kind == "task" else f"{name}.py")
    if not _NAME.fullmatch(name):
        raise UserError(f"{name}: a name is made of letters, digits, - and _ only; give another.")
    if lookup.canonical(name).lower() in lookup.names(several):
        raise UserError(f"{name} is the name of a shipped {kind}; give another.")
    text = _copy(several, like) if like else _text(kind, name)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} exists; give another name, or move it away.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    if kind == "monitor":
        print_text(
            f"{path}\nsee it:   bench show {path}\n"
            f"score it: bench monitor --method rloo --task tabular --seeds 5 --monitor {path}"
        )
        return 0
    option = f"--{kind} {path}"
    words = {"method": option, "proxy": f"--method bon {option}", "task": f"--method dpo {option}"}
    task = "" if kind == "task" else " --task tabular"
    print_text(
        f"{path}\n"
        f"see it:  bench show {path}\n"
        f"plan it: bench plan {words[kind]}{task} --kl-grid\n"
        f"run it:  bench run {words[kind]}{task} --kl-grid"
    )
    return 0


def _text(kind: str, name: str) -> str:
    if kind == "task":
        return _copy("tasks", _TASK_LIKE)
    texts = {"method": _METHOD, "proxy": _PROXY, "monitor": _MONITOR}
    return texts[kind].format(title=name)


def _copy(several: str, like: str) -> str:
    """The text of a shipped one; a task's summary says what it was copied from."""
    same = same_name(several, like)
    if several != "tasks":
        files = lookup.files(several)
        if same not in files:
            raise UserError(unknown(lookup.SINGULAR[several], like, files))
        return files[same].read_text(encoding="utf-8")
    path, _ = toml_files.read_toml(several, same)
    summary = f'summary = "My own task, begun as a copy of {same}"'
    return re.sub(r"(?m)^summary = .*$", summary, path.read_text(encoding="utf-8"), count=1)
