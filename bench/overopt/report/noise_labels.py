"""Labels of noise, in words and in order."""

from __future__ import annotations

from overopt.report.names import plain


def split_flaw(label: str) -> tuple[str, str]:
    """Noise, and the flaw of the labels that stands behind it, such as ``length:0.5``, or none."""
    noise, _, flaw = label.partition(" ")
    return noise, flaw


def name_noise(label: str) -> str:
    """A noise label in words."""
    noise, flaw = split_flaw(label)
    if flaw:
        name, _, dose = flaw.partition(":")
        return f"{name_noise(noise)}, flaw {plain(name, 16)} at dose {plain(dose, 8)}"
    kind, _, amount = label.rpartition(":")
    if kind == "" and label == "0":
        return "no label noise"
    try:
        value = float(amount)
    except ValueError:
        return f"noise {plain(label, 16)}"
    words = {
        "": f"{100 * value:g} % labels flipped",
        "random": f"{100 * value:g} % labels random",
        "bt": f"Bradley-Terry labels, T = {value:g}",
        "heavy": f"heavy-tailed error {value:g} SD",
    }
    return words.get(kind, f"noise {plain(label, 16)}")


def noise_order(label: str) -> tuple[str, float, str]:
    """Sort key of a noise label: flips first, then by kind, then by amount; flaws come after."""
    kind, _, amount = split_flaw(label)[0].rpartition(":")
    try:
        return kind, float(amount), label
    except ValueError:
        return kind, float("inf"), label
