"""Which family a method belongs to, as the records of its runs say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from overopt.report.stored.results import Results


def name_families(results: Results) -> dict[str, str]:
    """The family of each method label; methods whose records do not say it are left out."""
    of_method: dict[str, str] = {}
    for run in results.runs:
        of_method.update(_in_record(run.record))
    labels = results.points[["method_label", "method"]].drop_duplicates()
    return {
        str(label): of_method[str(method)]
        for label, method in labels.itertuples(index=False, name=None)
        if str(method) in of_method
    }


def _in_record(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    spec = record.get("spec")
    methods = spec.get("methods") if isinstance(spec, dict) else None
    for one in methods if isinstance(methods, list) else ():
        if isinstance(one, dict):
            name, family = one.get("name"), one.get("family")
            if isinstance(name, str) and isinstance(family, str):
                yield name, family
