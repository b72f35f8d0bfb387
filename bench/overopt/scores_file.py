"""Somebody else's scores on disk: read a table into `ScoredTable`, write curves and fits.

Reading is strict: whatever could be a mistake is a `UserError` that says where, and the only
values taken for missing are empty ones.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError
from overopt.stats.arrays import Floats
from overopt.stats.intervals import Interval
from overopt.stats.scored import FormReport, ProxyReport, ScoredTable

SUFFIXES = (".parquet", ".csv", ".jsonl")
MISSING_WORDS = {"", "nan", "na", "n/a", "null", "none"}
LENGTH_PROXIES = {"length": "characters", "length_words": "words"}
CURVE_HEADER = (
    "proxy",
    "n",
    "kl_nats",
    "gold_mean",
    "gold_se",
    "proxy_mean",
    "proxy_se",
    "n_prompts",
)

Table = pd.DataFrame
Column = NDArray[np.object_]


@dataclass(frozen=True)
class ScoresFile:
    """A table of scores as read, and which of its columns were taken for what.

    Attributes:
        table: the validated scores.
        path: the file.
        prompt: column of prompt ids.
        sample: column of sample ids, or None where rows are numbered within their prompt.
        gold: column of gold scores.
        proxies: names of the proxies, derived ones included.
        notes: choices made on the user's behalf, one sentence each.
    """

    table: ScoredTable
    path: Path
    prompt: str
    sample: str | None
    gold: str
    proxies: tuple[str, ...]
    notes: tuple[str, ...]


class ScoresOutput(NamedTuple):
    """Files written by `write_scores`."""

    curve: Path
    fits: Path


def read_scores(
    path: str | Path,
    gold: str | None = None,
    proxies: Sequence[str] | None = None,
    prompt: str | None = None,
    sample: str | None = None,
    response: str | None = None,
) -> ScoresFile:
    """Read and validate a table of scored samples from .parquet, .csv or .jsonl.

    Args:
        path: the file.
        gold: gold column; `gold` by default.
        proxies: proxy columns; by default those named `proxy` or `proxy_...`, else all other
            columns of numbers. `length` and `length_words` are derived from the responses when no
            column has that name.
        prompt: prompt id column; `prompt_id`, else `prompt` by default.
        sample: sample id column; `sample_id`, else `source` by default, else rows are numbered
            within their prompt.
        response: column of texts for the length proxies; `response` by default.

    Raises:
        UserError: if the file is missing, of another kind, unreadable or empty; a column is
            missing; an id is missing or a (prompt, sample) pair occurs twice; a score is infinite
            or no number.
    """
    file = Path(path)
    frame = _read_table(file)
    notes: list[str] = []
    prompt_column = _choose(file, frame, prompt, ("prompt_id", "prompt"), "prompt")
    gold_column = _choose(file, frame, gold, ("gold",), "gold")
    sample_column = sample
    if sample is not None:
        _require(file, frame, sample, "--sample")
    else:
        sample_column = next((c for c in ("sample_id", "source") if c in frame), None)
        if sample_column is None:
            notes.append("there is no sample_id or source column, so rows were numbered")
        elif sample_column == "source":
            notes.append("there is no sample_id column, so source names the samples of a prompt")
    prompt_R = _ids(file, frame, prompt_column)
    sample_R: NDArray[np.generic]
    if sample_column is None:
        sample_R = frame.groupby(prompt_R).cumcount().to_numpy(np.int64)
    else:
        sample_R = _ids(file, frame, sample_column)
    _refuse_duplicates(file, prompt_R, sample_R, prompt_column, sample_column)
    taken = {prompt_column, gold_column, sample_column}
    names = _choose_proxies(file, frame, proxies, taken, response, notes)
    gold_R = _numbers(file, frame, gold_column)
    scores = {name: _proxy(file, frame, name, response) for name in names}
    for name, values in scores.items():
        if not np.any(~np.isnan(values) & ~np.isnan(gold_R)):
            raise UserError(
                f"{file}: no row has both {gold_column!r} and {name!r}; score at least some samples"
                " with both, or choose another column with --gold or --proxy"
            )
    return ScoresFile(
        table=ScoredTable(prompt_R, sample_R, gold_R, scores),
        path=file,
        prompt=prompt_column,
        sample=sample_column,
        gold=gold_column,
        proxies=tuple(names),
        notes=tuple(notes),
    )


def length_proxy(responses: Sequence[Any] | Column, unit: str = "characters") -> Floats:
    """Length of each response, in characters or whitespace-separated words; NaN where missing.

    Raises:
        ValueError: if the unit is neither of the two.
    """
    if unit not in ("characters", "words"):
        raise ValueError(f"unit must be characters or words, got {unit!r}")
    lengths = [
        float(len(text) if unit == "characters" else len(text.split()))
        if isinstance(text, str)
        else np.nan
        for text in responses
    ]
    return np.array(lengths, np.float64)


def write_scores(outdir: str | Path, reports: Sequence[ProxyReport]) -> ScoresOutput:
    """Write curve.csv and fits.json; the same reports give the same bytes.

    Numbers are written in full precision. A missing value is an empty cell or null. Units: gold
    and proxy of curve.csv as in the table; coefficients of fits.json in gold standard deviations
    at n = 1 (`gold_sd`) and sqrt(nats).

    Args:
        outdir: folder, created if needed; existing files of these names are replaced.
        reports: what `overopt.stats.scored.analyse` returned.

    Raises:
        UserError: if the folder cannot be written.
    """
    folder = Path(outdir)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVE_HEADER)
    for report in reports:
        for point in report.points:
            numbers = (
                point.kl_nats,
                point.gold.mean,
                point.gold.se,
                point.proxy.mean,
                point.proxy.se,
            )
            cells = ["" if number is None else repr(float(number)) for number in numbers]
            writer.writerow([report.proxy, point.n, *cells, point.n_prompts])
    record = {report.proxy: _describe(report) for report in reports}
    fits = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    output = ScoresOutput(folder / "curve.csv", folder / "fits.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        output.curve.write_text(text.getvalue(), encoding="utf-8", newline="")
        output.fits.write_text(fits, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(
            f"{folder}: cannot write the results ({error.strerror}); choose a folder that can be"
            " written"
        ) from error
    return output


def _read_table(file: Path) -> Table:
    if file.suffix not in SUFFIXES:
        raise UserError(
            f"{file}: the suffix is {file.suffix!r}, allowed are {', '.join(SUFFIXES)}; convert the"
            " table to one of these"
        )
    if not file.is_file():
        raise UserError(f"{file}: there is no such file; give the path of a table of scores")
    try:
        match file.suffix:
            case ".parquet":
                frame = pd.read_parquet(file)
            case ".csv":
                frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            case _:
                frame = _read_jsonl(file)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parse errors are ValueErrors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unreadable"
        raise UserError(
            f"{file}: not a readable {file.suffix} table ({reason}); write it again"
        ) from error
    if frame.shape[0] == 0:
        raise UserError(f"{file}: the table has no rows; give at least one scored sample")
    if not isinstance(frame.index, pd.RangeIndex) and file.suffix == ".csv":
        raise UserError(f"{file}: rows have more cells than the header; give each column a name")
    return frame.reset_index(drop=True).rename(columns=str)


def _read_jsonl(file: Path) -> Table:
    rows: list[dict[str, Any]] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}: {error.msg}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number}: not an object")
            rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
    return pd.DataFrame(columns)


def _require(file: Path, frame: Table, column: str, option: str) -> str:
    """Return a column that must exist, or say which one may be meant."""
    if column in frame:
        return column
    names = [str(name) for name in frame.columns]
    close = get_close_matches(column, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(
        f"{file}: there is no column {column!r}; {hint}available: {', '.join(names)};"
        f" choose one with {option}"
    )


def _choose(
    file: Path, frame: Table, asked: str | None, defaults: tuple[str, ...], role: str
) -> str:
    if asked is not None:
        return _require(file, frame, asked, f"--{role}")
    found = next((name for name in defaults if name in frame), None)
    return found if found is not None else _require(file, frame, defaults[0], f"--{role}")


def _choose_proxies(
    file: Path,
    frame: Table,
    asked: Sequence[str] | None,
    taken: set[str | None],
    response: str | None,
    notes: list[str],
) -> list[str]:
    if asked is not None and len(asked) > 0:
        names = list(dict.fromkeys(asked))
        for name in names:
            if name not in LENGTH_PROXIES or name in frame:
                _require(file, frame, name, "--proxy")
        return names
    free = [str(name) for name in frame.columns if name not in taken]
    named = [name for name in free if name == "proxy" or name.startswith("proxy_")]
    names = named or [name for name in free if _is_numeric(frame[name])]
    if response is not None and "length" not in names:
        names = [*names, "length"]
    if not names:
        raise UserError(
            f"{file}: there is no proxy column among {', '.join(free) or 'the columns'}; add a"
            " column of proxy scores, or use --proxy length if there is a column of responses"
        )
    notes.append(f"proxies taken: {', '.join(names)}")
    return names


def _is_numeric(column: "pd.Series[Any]") -> bool:
    try:
        values = _parse(column)
    except (ValueError, TypeError, OverflowError):
        return False
    return bool(np.any(~np.isnan(values)))


def _is_missing(value: object) -> bool:
    if value is None or value is pd.NA:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING_WORDS
    return _is_nan(value)


def _parse(column: "pd.Series[Any]") -> Floats:
    """Numbers with NaN for missing values; an exception if a value is neither."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.array([_parse_one(value) for value in column.to_numpy(dtype=object)], np.float64)


def _parse_one(value: Any) -> float:
    if _is_missing(value):
        return float("nan")
    if isinstance(value, str) and "_" in value:  # Python would read 1_000 as a number
        raise ValueError(value)
    return float(value)


def _numbers(file: Path, frame: Table, column: str) -> Floats:
    """A column as numbers, NaN where missing."""
    try:
        numbers = _parse(frame[column])
    except (ValueError, TypeError, OverflowError):
        values = frame[column].to_numpy(dtype=object)
        row = next(i for i, value in enumerate(values) if not _is_number(value))
        raise UserError(
            f"{file}: column {column!r} holds {values[row]!r} in data row {row + 1}, allowed are"
            " finite numbers or nothing for a missing score; correct that row"
        ) from None
    if np.any(np.isinf(numbers)):
        row = int(np.argmax(np.isinf(numbers)))
        raise UserError(
            f"{file}: column {column!r} is infinite in data row {row + 1}, allowed are finite"
            " numbers or nothing for a missing score; correct or empty it"
        )
    return numbers


def _is_number(value: object) -> bool:
    try:
        _parse_one(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _ids(file: Path, frame: Table, column: str) -> Column:
    """Ids as Python strings: a fixed-width array would pad every prompt to the longest."""
    values = frame[column].to_numpy(dtype=object)
    for row, value in enumerate(values):
        if value is None or value is pd.NA or value == "" or _is_nan(value):
            raise UserError(
                f"{file}: column {column!r} has no id in data row {row + 1}; every row needs one"
            )
    return np.array([str(value) for value in values], np.object_)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _refuse_duplicates(
    file: Path,
    prompt_R: Column,
    sample_R: NDArray[np.generic],
    prompt_column: str,
    sample_column: str | None,
) -> None:
    pairs = pd.DataFrame({"prompt": prompt_R, "sample": sample_R})
    duplicated = pairs.duplicated().to_numpy(np.bool_)
    if duplicated.any():
        row = int(np.argmax(duplicated))
        raise UserError(
            f"{file}: data row {row + 1} repeats {prompt_column} {prompt_R[row]!r} with"
            f" {sample_column} {sample_R[row]!r}, each pair may occur once; remove the repetition"
            " or name another column with --sample"
        )


def _proxy(file: Path, frame: Table, name: str, response: str | None) -> Floats:
    """A proxy's column, or a length derived from the responses."""
    if name in frame or name not in LENGTH_PROXIES:
        return _numbers(file, frame, name)
    column = _require(file, frame, response or "response", "--length")
    return length_proxy(frame[column].to_numpy(dtype=object), LENGTH_PROXIES[name])


def _describe(report: ProxyReport) -> dict[str, Any]:
    ranking = report.ranking
    return {
        "gold_mean": report.gold_mean,
        "gold_sd": report.gold_sd,
        "rows": report.counts._asdict(),
        "prompts_dropped": {str(point.n): point.n_prompts_dropped for point in report.points},
        "ranking_accuracy": {
            "within_prompt": None if ranking.within is None else ranking.within._asdict(),
            "pooled": ranking.pooled,
            "n_prompts_without_pairs": ranking.n_prompts_without_pairs,
        },
        "correlation": report.correlation._asdict(),
        "kl_estimator": "bound log n - (n - 1)/n",
        "interval": "leave-one-prompt-out jackknife, t with prompts - 1 degrees of freedom",
        "fits": {one.form.value: _describe_form(one) for one in report.forms},
    }


def _describe_form(one: FormReport) -> dict[str, Any]:
    if one.fitted is None:
        return {"reason": one.reason}
    fitted, fit = one.fitted, one.fitted.fit
    peak: dict[str, Any] | str = fit.peak_reason or ""
    if fitted.peak_d is not None and fitted.peak_height is not None and fit.peak is not None:
        peak = {
            "kl_nats": fit.peak.kl_nats,
            "d": _describe_interval(fitted.peak_d),
            "height": _describe_interval(fitted.peak_height),
        }
    return {
        "a": _describe_interval(fitted.a),
        "b": _describe_interval(fitted.b),
        "gamma": fit.gamma,
        "peak": peak,
        "zero_crossing_d": fit.zero_crossing,
        "d_range": [fit.d_low, fit.d_high],
        "n_points": fit.n_points,
        "n_prompts": fitted.n_prompts,
        "rmse": fit.rmse,
        "aicc": fit.aicc,
        "r2": fit.r2,
    }


def _describe_interval(interval: Interval) -> dict[str, Any]:
    return {
        "estimate": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "se": interval.se,
        "level": interval.level,
        "exploratory": interval.exploratory,
    }
