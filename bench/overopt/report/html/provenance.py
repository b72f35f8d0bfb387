"""What was asked for, by which code, where, and how it ended: the record of a run in words."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from html import escape
from typing import Any

from overopt.report.quantities import show_duration
from overopt.report.stored.run import Run
from overopt.report.tables.text import MISSING

_SHARES = 4
"""Stages whose share of the processor time is told."""
LONGEST_RECORD = 12_000
"""Characters of a record that are shown; the rest is in run.json."""


def render_run(run: Run, version: str) -> Iterator[str]:
    """The record of one run, folded; ``version`` tells it from others of the same cells."""
    record = run.record
    dirty = " with uncommitted changes" if record.get("dirty") is True else ""
    status = record.get("status")
    spec = record.get("spec")
    seeds = spec.get("seeds") if isinstance(spec, dict) else None
    origin = "measured here, made elsewhere" if is_measured(spec) else "made here"
    facts = (
        ("policies", origin),
        ("command", _command(record.get("arguments"))),
        ("status", show_words(status)),
        ("gold", show_words(sorted(set(run.points["gold"])))),
        ("worlds", show_words(sorted({int(world) for world in run.points["world"]}))),
        ("seeds", show_words(seeds)),
        ("standard settings", show_words(record.get("standard"))),
        ("looked at gold", show_words(record.get("uses_gold"))),
        ("commit", f"{show_words(record.get('commit'))}{dirty}"),
        ("overopt", show_words(record.get("overopt"))),
        ("packages", show_words(record.get("packages"))),
        ("python", show_words(record.get("python"))),
        ("machine", show_words(record.get("machine"))),
        (
            "processors, workers",
            f"{show_words(record.get('cpus'))}, {show_words(record.get('workers'))}",
        ),
        ("wall time", _wall_time(record.get("wall_s"))),
        ("processor time of all that it rests upon", _processor_time(record.get("stages"))),
        ("finished", show_words(record.get("finished_utc"))),
        ("spec", show_words(record.get("spec_sha256"))),
        ("failures", show_words(record.get("failures")) if record.get("failures") else "none"),
    )
    told = f" ({version})" if version else ""
    warning = dirty or ("" if status == "ok" else f": {show_words(status)}")
    yield f"<details><summary><code>{escape(run.name)}</code>{escape(told + warning)}</summary><dl>"
    for name, value in facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    kept = {name: value for name, value in record.items() if name != "artifacts"}
    whole = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
    if len(whole) > LONGEST_RECORD:
        whole = f"{whole[:LONGEST_RECORD]}… (the rest is in the file)"
    yield "</dl><details><summary>run.json, without its artifacts</summary>"
    yield f"<pre>{escape(whole, quote=False)}</pre></details></details>"


def is_measured(spec: Any) -> bool:
    """Whether a record is of checkpoints that were made elsewhere (`bench measure`)."""
    return isinstance(spec, dict) and "measured" in spec


def _command(arguments: Any) -> str:
    if isinstance(arguments, list):
        return shlex.join(str(word) for word in arguments)
    return show_words(arguments)


def show_words(value: Any) -> str:
    """A stored value in words."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {show_words(one)}" for name, one in value.items()) or MISSING
    if isinstance(value, list):
        return ", ".join(show_words(one) for one in value) or MISSING
    return str(value)


def _wall_time(wall_s: Any) -> str:
    if isinstance(wall_s, bool) or not isinstance(wall_s, int | float):
        return show_words(wall_s)
    return show_duration(wall_s)


def _processor_time(stages: Any) -> str:
    """The sum over stages and the shares of the dearest; MISSING where no record says it."""
    try:
        known = [one for one in stages if one["cpu_s"] is not None]
        spent = {str(one["stage"]): float(one["cpu_s"]) for one in known}
        unknown = sum(int(one["unknown"]) for one in stages)
    except (TypeError, KeyError, ValueError):
        return MISSING
    total_s = sum(spent.values())
    if not 0 < total_s < float("inf"):
        return MISSING
    dearest = sorted(spent.items(), key=lambda one: -one[1])[:_SHARES]
    shares = ", ".join(f"{stage} {cpu_s / total_s:.0%}" for stage, cpu_s in dearest)
    without = f", without {unknown} artifacts whose cost is not recorded" if unknown else ""
    return f"{show_duration(total_s)}: {shares}{without}"
