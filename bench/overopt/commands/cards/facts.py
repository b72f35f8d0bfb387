"""What a method or proxy reads, and how far its file was checked, in words."""

from __future__ import annotations

import re

from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec

_READS = {
    "pairs": "preference pairs",
    "rollout": "fresh samples with proxy rewards",
    "iterative": "fresh samples with proxy rewards, round after round",
    "selection": "responses of the initial policy with proxy scores",
}
_INPUTS = {
    "logps": "log-probabilities by the head that is kept",
    "reference_logps": "those of the initial policy",
    "sampled_logp": "log-probabilities under the policy that drew",
    "forward_kl": "KL(pi_ref || pi) of each token",
    "reverse_kl": "KL(pi || pi_ref) of each token",
    "mismatched": "responses read after other prompts",
}
_TRL = re.compile(r"against [^.;]{0,150}?\bTRL\b")
_CODE = re.compile(
    r"(?<!description of the )author(?:s'|'s) (?:own |released )?code(?! (?:is|was) not)"
    r"|against [^.]{0,60}\breleased code"
)
_OTHERS = re.compile(
    r"third[- ]part|\bdigests?\b|public reviews|reviews of the paper|against descriptions"
    # one abstract is that of a second paper, whose numbers are told and whose equations are not
    r"|\babstract(?! seen; its numbers)|from memory|by notes|notes on|nothing .{0,12}verified",
    re.IGNORECASE,
)
"""What a file calls its sources where they are neither the paper's text nor its code.

``reviews`` alone is the name of a task.
"""


def method_reads(method: MethodSpec, inputs: tuple[str, ...]) -> str:
    """What a method learns or chooses from."""
    reads = [_READS[method.trains if method.family == "merge" else method.family]]
    if method.composes and method.family == "selection":
        reads = ["the initial policy's next-token probabilities"]
    if method.values:
        reads.append("values of prefixes, learned from the proxy")
    reads += [_INPUTS.get(name, name.replace("_", " ")) for name in inputs]
    if method.uses_gold != "none":
        reads.append("gold")
    return ", ".join(reads)


def proxy_reads(proxy: ProxySystemSpec, inputs: tuple[str, ...]) -> str:
    """What the members of a proxy learn from."""
    reads = ["gold's opinion of every step"] if proxy.step_scores else ["preference pairs"]
    reads += [f"labels' {name}" for name in proxy.labels]
    reads += [_INPUTS.get(name, name.replace("_", " ")) for name in inputs]
    return ", ".join(reads)


def checked(docstring: str) -> str:
    """How far a file was checked, by what its docstring says of itself.

    The words are looked for, not written down a second time: "checked against the authors' code",
    "TRL", "analogue", "from third-party sources", "not verified".
    """
    text = " ".join(docstring.split())
    against = ["the authors' code"] if _CODE.search(text) else []
    against += ["TRL"] if _TRL.search(text) else []
    if "analogue" in text.lower():
        told = "an analogue: the paper's own equation is not public, or not what is done here"
    elif against:
        told = f"against {' and '.join(against)}"
    elif text.startswith("Control:"):
        told = "a control: there are no equations of a paper"
    elif _OTHERS.search(text):
        told = "by other sources than the paper's text and code, as its file says"
    else:
        told = "against the paper's equations as quoted"
    unverified = "not verified" in text or "could not be verified" in text
    return f"{told}; parts not verified" if unverified else told
