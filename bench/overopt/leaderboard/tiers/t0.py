"""T0: what can be seen without building anything: schema, hashes, completeness, arithmetic.

Log-probabilities are held against each other (``consistency``), and samples against those of other
seeds and submissions (``copies``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from overopt.errors import UserError
from overopt.leaderboard.submission.files import check_content
from overopt.leaderboard.submission.pages import Samples, parse_page
from overopt.leaderboard.submission.parts import DOCUMENT, MOST_LINES, Cell
from overopt.leaderboard.submission.reading import read_submission
from overopt.leaderboard.submission.schema import MethodFile, Submission, SubmittedRun
from overopt.leaderboard.submission.verdict import Asked, Finding, found
from overopt.leaderboard.tiers import completeness
from overopt.leaderboard.tiers.arithmetic import judge_arithmetic
from overopt.leaderboard.tiers.consistency import Consistency
from overopt.leaderboard.tiers.copies import COPIED, Prints, excess, prints_of
from overopt.report.stored.points import read_points

_Cells = dict[completeness.Place, Prints]


def judge(asked: Asked, told: Callable[[str], None]) -> list[Finding]:
    """Everything that T0 finds.

    Raises:
        UserError: the submission is no submission; the rest cannot be judged.
    """
    submission = read_submission(asked.folder)
    findings = [found("T0", "schema", True, f"{DOCUMENT} and its {_count(submission)} files")]
    if isinstance(submission.method, MethodFile):
        check_content(asked.folder, submission.method.file)
    findings += completeness.judge_whole(submission)
    prints: _Cells = {}
    for number, run in enumerate(submission.runs):
        consistency = Consistency(
            run.spec.task.evaluation.pool_samples_per_prompt, len(submission.runs)
        )
        where = f"runs.{number} {run.method}"
        found_there, theirs = _judge_run(asked.folder, run, consistency, where, told)
        findings += found_there
        if run.role == "method":
            prints |= theirs
    findings.append(_judge_seeds(prints))
    for other in _others(asked):
        told(f"compared with {other}")
        findings.append(_judge_copy(submission, prints, other))
    return findings


def points_of(folder: Path, run: SubmittedRun) -> pd.DataFrame:
    """The checked table of points of a run, its rows numbered from 0."""
    content = check_content(folder, run.points)
    if content.count(b"\n") + content.count(b"\r") > MOST_LINES:
        raise UserError(f"{folder / run.points.path} has more than {MOST_LINES} lines.")
    return read_points(folder / run.points.path, {})


def samples_of(folder: Path, cell: Cell) -> Samples | None:
    """The checked page of a cell; None where it has none."""
    if cell.page is None:
        return None
    content = check_content(folder, cell.page.file)
    return parse_page(content, cell.page, cell.page.file.path)


def _judge_run(
    folder: Path,
    run: SubmittedRun,
    consistency: Consistency,
    where: str,
    told: Callable[[str], None],
) -> tuple[list[Finding], _Cells]:
    findings = [*completeness.judge_spec(run, where), *completeness.judge_cells(run, where)]
    points = points_of(folder, run)
    findings += completeness.judge_rows(run, points, where)
    prints: _Cells = {}
    # where rows and cells do not fit together, samples belong to nothing
    good = all(one.outcome != "fail" or one.check not in ("cells", "rows") for one in findings)
    for cell in run.cells:
        place = f"{where}, {completeness.place_of(cell)}"
        told(place)
        for policy in cell.policies:
            check_content(folder, policy.file)
        samples = samples_of(folder, cell)
        if samples is None or not good:
            continue  # its page is whole; what it belongs to is not
        shape = completeness.judge_samples(run, cell, samples, points, place)
        findings.append(shape)
        if shape.outcome == "fail":
            continue
        findings.append(judge_arithmetic(cell, samples, points, place))
        names = points["kl_estimator"]
        estimators = [str(names.loc[row]) for row in samples.measured_K]
        consistency.add(cell, samples, estimators, place)
        if (of_cell := prints_of(samples)) is not None:
            prints[completeness.place_in(run, cell)] = of_cell
    findings += consistency.judge()
    return findings, prints


def _judge_seeds(prints: _Cells) -> Finding:
    """Whether a seed's samples are another one's: worlds of one seed share no random number."""
    worst, words = 0.0, "no two cells have their samples in common"
    keys = list(prints)
    for i, one in enumerate(keys):
        for other in keys[:i]:
            if one.seed == other.seed and one.world == other.world:
                continue  # the same policies against another proxy, or of other data
            share = excess(prints[one], prints[other])
            if share > worst:
                worst = share
                words = f"{one.words} and {other.words} have {share:.0%} of their samples in common"
    return found("T0", "seeds_differ", worst < COPIED, words, "", worst, COPIED)


def _others(asked: Asked) -> Iterator[Path]:
    """The other submissions, each once; the one that is judged is not one of them."""
    mine = asked.folder.resolve()
    for place in asked.against:
        if not place.is_dir():
            raise UserError(f"--against {place} is no folder; give submissions, or one above them.")
        inside = [place] if (place / DOCUMENT).is_file() else []
        for folder in inside or sorted(file.parent for file in place.glob(f"*/{DOCUMENT}")):
            if folder.resolve() != mine:
                yield folder


def _judge_copy(submission: Submission, prints: _Cells, folder: Path) -> Finding:
    other = read_submission(folder)
    worst, words = 0.0, f"other samples than {other.entry}"
    for run in other.runs:
        if run.role != "method":
            continue
        for cell in run.cells:
            mine = prints.get(completeness.place_in(run, cell))
            samples = samples_of(folder, cell) if mine is not None else None
            theirs = prints_of(samples) if samples is not None else None
            if mine is None or theirs is None:
                continue
            share = excess(mine, theirs)
            if share > worst:
                worst = share
                words = f"{share:.0%} of the samples of world {cell.world} seed {cell.seed} are "
                words += f"those of {other.entry} by {other.who}"
    if worst >= COPIED and submission.method_name == other.method_name:
        return Finding("T0", "copy", "note", f"a repetition of {other.entry} by {other.who}")
    return found("T0", "copy", worst < COPIED, words, "", worst, COPIED)


def _count(submission: Submission) -> int:
    return len(submission.files())
