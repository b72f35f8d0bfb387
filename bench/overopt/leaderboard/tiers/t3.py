"""T3: the method run again, by us, in worlds that were drawn after its submission arrived.

A method that comes as a file runs behind walls (``sandbox``), where there is neither gold nor
anything that gold follows from; one that overopt ships runs as it always does. Claims of gold are
then held against what the fresh worlds say (``claims``). The worlds that the entry names are run
once more as well, with fresh seeds, beside which claimed seeds must be no better (``seeds``).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from overopt.artifacts.randomness import numpy_rng
from overopt.catalog.methods import method
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.outcomes import Notice
from overopt.execution.store import Store
from overopt.leaderboard.sandbox.graph import SealedGraph
from overopt.leaderboard.sandbox.launch import require_walls
from overopt.leaderboard.submission.files import check_content, read_plain
from overopt.leaderboard.submission.reading import read_submission
from overopt.leaderboard.submission.schema import (
    LARGEST_METHOD_BYTES,
    MethodCommit,
    MethodFile,
    Submission,
    SubmittedRun,
)
from overopt.leaderboard.submission.verdict import Asked, Finding, found
from overopt.leaderboard.tiers.rebuilt import refuse_foreign
from overopt.leaderboard.tiers.t0 import points_of, samples_of
from overopt.leaderboard.verification.claims import (
    Claim,
    Worlds,
    compare_reach,
    first_seeds,
    read_claims,
    verify_claims,
)
from overopt.leaderboard.verification.seeds import compare_seeds, least_p, read_both
from overopt.leaderboard.verification.trial import ALPHA, Trial
from overopt.report.stored.points import read_points
from overopt.report.stored.prompts import read_prompts
from overopt.run.cells import in_world
from overopt.run.driver import execute_runs
from overopt.run.graph import Graph
from overopt.spec.run import RunSpec

Floats = npt.NDArray[np.float64]

LEVEL = ALPHA / 2
"""Of claims in fresh worlds, and of the claimed worlds' seeds, all runs of an entry together."""
_FIRST_FRESH_SEED, _SEEDS_END = 2**31, 2**32


def judge(asked: Asked, told: Callable[[str], None]) -> list[Finding]:
    """Everything that T3 finds.

    Raises:
        UserError: no round draws worlds, or this system has no walls for a method's file.
    """
    if not isinstance(asked, Trial) or not asked.worlds or asked.runs is None:
        raise UserError(
            "Tier T3 needs worlds that were drawn after the entry arrived; give --round FOLDER, "
            "which bench round open makes."
        )
    submission = read_submission(asked.folder)
    findings: list[Finding] = []
    with _method_file(asked, submission) as file:
        if file is not None:
            require_walls()
        level = LEVEL / sum(run.role == "method" for run in submission.runs)
        for number, run in enumerate(submission.runs):
            if run.role == "method":
                where = f"runs.{number} {run.method}"
                findings += _judge_run(asked, run, file, level, where, told)
    return findings


@contextmanager
def _method_file(trial: Trial, submission: Submission) -> Iterator[Path | None]:
    """The method's file under its own name in a folder of its own; None for a shipped one."""
    given = submission.method
    if isinstance(given, MethodFile):
        name, content = Path(given.file.path).name, check_content(trial.folder, given.file)
    elif isinstance(given, MethodCommit):
        if trial.upstream is None:
            raise UserError(
                f"The method lies in {given.repository} at {given.commit}; fetch {given.path} "
                "there and give it with --method FILE."
            )
        missing = f"--method {trial.upstream} cannot be read"
        content = read_plain(trial.upstream, LARGEST_METHOD_BYTES, missing)
        name = Path(given.path).name
        if hashlib.sha256(content).hexdigest() != given.sha256:
            raise UserError(f"--method {trial.upstream} is not the file that the entry pins.")
    else:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="overopt-method-") as folder:
        place = Path(folder) / name
        place.write_bytes(content)
        yield place


def _judge_run(
    trial: Trial,
    run: SubmittedRun,
    file: Path | None,
    level: float,
    where: str,
    told: Callable[[str], None],
) -> Iterator[Finding]:
    if foreign := refuse_foreign(run.spec):
        yield found("T3", "ours", False, foreign, where)
        return
    seeds = fresh_seeds(trial.secret, len(run.spec.seeds))
    # claims of both sides are means over equally many seeds
    count = min(trial.seeds, len(run.spec.seeds))
    spec, problem = again(run.spec, file, trial.worlds, tuple(range(count)))
    beside, _ = again(run.spec, file, run.spec.worlds, seeds)
    if problem:
        yield found("T3", "method", False, problem, where)
        return

    def notice(one: Notice) -> None:
        if one.kind in ("started", "failed"):
            told(f"{one.kind}: {one.node.title}")

    assert trial.runs is not None, "checked before"
    outcome = execute_runs(
        [spec, beside],
        Store(trial.store),
        trial.runs,
        workers=trial.workers,
        arguments=(),
        on_notice=notice,
        graph=Graph if file is None else SealedGraph,
    )
    behind = "as overopt ships it" if file is None else "behind walls"
    if outcome.failures:
        title, failure = outcome.failures[0]
        words = f"{len(outcome.failures)} of its runs failed {behind}; {title}: {failure.message}"
        yield found("T3", "runs", False, words, where)
        return
    words = (
        f"run again in {len(trial.worlds)} fresh worlds, and in the {len(run.spec.worlds)} that "
    )
    words += f"are claimed with {len(seeds)} fresh seeds, {behind}"
    yield found("T3", "runs", True, words, where)
    points = read_points(outcome.folders[0] / "points.csv", {})
    yield from judge_claims(
        submitted_claims(trial.folder, run, count),
        read_claims(points, read_prompts(outcome.folders[0], points) or {}),
        Worlds(run.spec.worlds, trial.worlds),
        where,
        level,
    )
    yield from judge_seeds(
        points_of(trial.folder, run),
        read_points(outcome.folders[1] / "points.csv", {}),
        numpy_rng(trial.secret, "deals of seeds"),
        where,
        level,
    )


def fresh_seeds(secret: int, count: int) -> tuple[int, ...]:
    """Seeds that nobody could have run before the secret was drawn, in ascending order."""
    rng = numpy_rng(secret, "fresh seeds")
    chosen: set[int] = set()
    while len(chosen) < count:
        chosen.add(int(rng.integers(_FIRST_FRESH_SEED, _SEEDS_END)))
    return tuple(sorted(chosen))


def again(
    spec: RunSpec, file: Path | None, worlds: tuple[int, ...], seeds: tuple[int, ...]
) -> tuple[RunSpec, str]:
    """The specification of a submitted run in other worlds, its method read from its own file.

    Returns:
        The specification, and why there is none: the file's declarations are not those stated.
    """
    stated = spec.methods[0]
    source = str(file) if file is not None else stated.name
    try:
        read = method(source, dict(stated.config))
    except UserError as error:
        return spec, str(error)
    read = read.model_copy(update={"rate_factor": stated.rate_factor})
    named = Path(read.source).name if is_file(read.source) else read.source
    if read.model_copy(update={"source": named}) != stated:
        return spec, "the method's file declares something else than the specification says"
    fresh = {
        "task": in_world(spec.task, worlds[0]),
        "worlds": worlds,
        "seeds": seeds,
        "methods": (read,),
    }
    return spec.model_copy(update=fresh), ""


def judge_claims(
    claimed: list[Claim], fresh: list[Claim], worlds: Worlds, where: str, level: float = LEVEL
) -> Iterator[Finding]:
    """Claims held against the re-run: how far it gets, then those it can test."""
    reached = {(one.setting, one.name): one for one in fresh}
    count = len(worlds.fresh)
    for one in claimed:
        other = reached.get((one.setting, one.name))
        got = 0 if other is None else len(other.of_world)
        if got < count:
            words = f"{one.setting}: {one.name} is claimed in {len(one.of_world)} of "
            words += f"{len(worlds.claimed)} worlds; the method gets there in {got} of {count} "
            yield Finding("T3", "reach", "note", f"{words}fresh ones", where)
    reach = compare_reach(claimed, fresh, worlds)
    tested = verify_claims(claimed, fresh, level, [one.p for one in reach])
    for far in reach:
        words = f"{far.setting}: of its claimed places, claimed worlds reach {far.claimed:.2f} in "
        words += f"the mean and fresh ones {far.fresh:.2f}, p = {far.p:.2g}"
        limit = level / (len(tested) + len(reach))
        yield found("T3", "reach", far.p > limit, words, where, far.p, limit)
    for done in tested:
        words = f"{done.claim.setting}: {done.claim.name} claimed {done.claimed:.3f}, found "
        words += f"{done.found:.3f} in {done.worlds} fresh worlds (SD {done.sd:.3f}), p = "
        words += f"{done.p:.2g}; {done.noticed:.2f} too much would have been noticed"
        yield found("T3", "claims", done.p > level, words, where, done.p, level)
    if not tested:
        words = "no claim was tested: gold at 2, 4 and 8 nats or at a peak, in 3 fresh worlds"
        yield found("T3", "claims", False, words, where)


def judge_seeds(
    claimed: pd.DataFrame,
    fresh: pd.DataFrame,
    rng: np.random.Generator,
    where: str,
    level: float = LEVEL,
) -> Iterator[Finding]:
    """Gold of the claimed seeds held against that of fresh ones in the same worlds."""
    both = read_both(claimed, fresh)
    if least_p(both) > level:
        words = "too few seeds to say whether they were chosen: there is no p as small as "
        yield Finding("T3", "seeds", "note", f"{words}{level:g}", where)
        return
    worst = min(compare_seeds(both, rng), key=lambda one: (one.p, -one.excess))
    words = f"{worst.setting}: {worst.name}, claimed seeds less fresh ones {worst.excess:+.3f} in "
    words += f"{worst.worlds} claimed worlds, p = {worst.p:.2g}"
    yield found("T3", "seeds", worst.p > level, words, where, worst.p, level)


def submitted_claims(folder: Path, run: SubmittedRun, seeds: int) -> list[Claim]:
    """What the first so many seeds of a submitted run claim of gold."""
    points = first_seeds(points_of(folder, run), seeds)
    gold_of_row: dict[int, Floats] = {}
    for cell in run.cells:
        samples = samples_of(folder, cell)
        if samples is not None:
            rows = samples.measured_K.tolist()
            gold_of_row |= dict(zip(rows, samples.prompt_gold_KB, strict=True))
    return read_claims(points, gold_of_row)
