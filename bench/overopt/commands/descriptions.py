"""A method, proxy or monitor as JSON values: name, summary, and what it can be chosen by."""

from __future__ import annotations

from typing import Any

from overopt.catalog.declarations import Declaration
from overopt.spec.method import MethodSpec
from overopt.spec.monitor import MonitorSpec
from overopt.spec.system import ProxySystemSpec

NEEDS_PROXY, NEEDS_NATIVE, NEEDS_POLICIES = "proxy", "native-engine", "policies"
"""What a method or proxy may need besides the inputs that its file names."""

STEPS = "steps"
"""The use of gold of a proxy that learns from gold's opinion of every step."""


def describe_method(found: Declaration, method: MethodSpec) -> dict[str, Any]:
    """What ``bench list`` tells of a method."""
    needs = [NEEDS_PROXY] if method.sees_proxy else []
    needs += [NEEDS_NATIVE] if method.native_only else []
    return {
        "name": method.name,
        "family": method.family,
        "knob": method.knob.model_dump(),
        "uses_gold": method.uses_gold,
        "needs": [*needs, *found.constants.get("INPUTS", ())],
        "summary": found.summary,
    }


def describe_proxy(found: Declaration, proxy: ProxySystemSpec) -> dict[str, Any]:
    """What ``bench list`` tells of a proxy system."""
    policies = [NEEDS_POLICIES] if proxy.policy is not None else []
    labels = [*proxy.labels, *([STEPS] if proxy.step_scores else [])]
    return {
        "name": proxy.name,
        "members": proxy.members,
        "uses_gold": STEPS if proxy.step_scores else proxy.uses_gold,
        "needs": [*policies, *proxy.inputs, *labels],
        "summary": found.summary,
    }


def describe_monitor(found: Declaration, monitor: MonitorSpec) -> dict[str, Any]:
    """What ``bench list`` tells of a monitor."""
    return {
        "name": monitor.name,
        "acts": monitor.acts,
        "reads": list(monitor.reads),
        "summary": found.summary,
    }
