"""The comparisons that the page shows: plain methods as baselines, all at the same KL."""

from __future__ import annotations

from typing import NamedTuple

from overopt.report.comparison.question import Question


class Asked(NamedTuple):
    """One comparison of stored runs, as ``bench compare`` would be asked for it.

    Attributes:
        title: a heading, which ends the question "what beats ...".
        folder: of the runs, below the results.
        baselines: what the others are tested against, one table each.
        noise: label of the noise.
        at_kl_nats: where gold is compared.
        methods: only these, or those of these families; of none, all.
        proxies: only these; of none, all.
        systems: whether methods meet together with the proxies that they see.
    """

    title: str
    folder: str
    baselines: tuple[str, ...]
    noise: str
    at_kl_nats: float = Question().at_kl_nats
    methods: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    systems: bool = False

    def command(self, baseline: str) -> str:
        """What shows the same on a terminal."""
        words = [f"bench compare results/{self.folder}"]
        words += [f"--method {' '.join(self.methods)}"] if self.methods else []
        words += [f"--proxy {' '.join(self.proxies)}"] if self.proxies else []
        words += ["--systems"] if self.systems else []
        words += [f"--noise {self.noise}", f"--at-kl {self.at_kl_nats:g}"]
        quoted = f'"{baseline}"' if " " in baseline else baseline
        return " ".join([*words, f"--baseline {quoted}"])


_FLIPPED, _CLEAN = "0.25", "0"

QUESTIONS = (
    Asked(
        title="Methods, a quarter of the labels flipped",
        folder="matrix",
        baselines=("dpo", "bon"),
        noise=_FLIPPED,
        methods=("family:pairs", "family:selection", "family:merge"),
        proxies=("single",),
    ),
    Asked(
        title="Online methods, a quarter of the labels flipped",
        folder="matrix",
        baselines=("rloo",),
        noise=_FLIPPED,
        methods=("family:rollout", "family:iterative"),
        proxies=("single",),
    ),
    Asked(
        title="Methods on fresh seeds",
        folder="confirm",
        baselines=("dpo", "bon"),
        noise=_FLIPPED,
        proxies=("single",),
    ),
    Asked(
        title="Inference-time methods, no label flipped",
        folder="noiseless",
        baselines=("bon",),
        noise=_CLEAN,
        proxies=("single",),
    ),
    Asked(
        title="Reward models under best-of-n, a quarter of the labels flipped",
        folder="matrix",
        baselines=("bon × single",),
        noise=_FLIPPED,
        methods=("bon",),
        systems=True,
    ),
    Asked(
        title="Reward models under best-of-n, on fresh seeds",
        folder="confirm",
        baselines=("bon × single",),
        noise=_FLIPPED,
        methods=("bon",),
        systems=True,
    ),
    Asked(
        title="Reward models under RLOO, a quarter of the labels flipped",
        folder="matrix",
        baselines=("rloo × single",),
        noise=_FLIPPED,
        methods=("rloo",),
        systems=True,
    ),
    Asked(
        title="Reward models under best-of-n, no label flipped",
        folder="noiseless",
        baselines=("bon × single",),
        noise=_CLEAN,
        methods=("bon",),
        systems=True,
    ),
)
"""In the order of the page. The fresh seeds are for what came out ahead on the first ones."""
