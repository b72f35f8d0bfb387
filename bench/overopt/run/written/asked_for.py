"""The record beside tables that hold cells of several runs: what was asked for, and how."""

from __future__ import annotations

import json
from collections.abc import Sequence

from overopt.run.own_files import without_place
from overopt.run.written.circumstances import circumstances
from overopt.spec.documents import RECORD_FORMAT
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec


def asked_for(name: str, asked: ExamSpec | StreamSpec, runs: Sequence[RunSpec]) -> str:
    """JSON text with runs as specifications, in the order in which tables count them.

    Args:
        name: key under which the record keeps what was asked of the runs.
        asked: how sets were drawn, or how much.
        runs: whose cells the tables hold.
    """
    record = {
        "format": RECORD_FORMAT,
        name: asked.to_json(),
        "specs": [_placeless(run).to_json() for run in runs],
        **circumstances(*(proxy for run in runs for proxy in run.proxies)),
    }
    return json.dumps(record, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _placeless(run: RunSpec) -> RunSpec:
    own = {
        "methods": tuple(map(without_place, run.methods)),
        "proxies": tuple(map(without_place, run.proxies)),
    }
    return run.model_copy(update=own)
