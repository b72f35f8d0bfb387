"""The comparisons that the page shows: plain methods as baselines, all at the same KL."""

from __future__ import annotations

from typing import NamedTuple

AT_KL_NATS = 4.0
"""What ``bench compare`` asks for where nothing is said."""


class Asked(NamedTuple):
    """One comparison of stored runs, as ``bench compare`` would be asked for it.

    Attributes:
        title: a heading, which ends the question "what beats ...".
        folder: of the runs, below the results.
        baselines: what the others are tested against, one table each.
        noise: label of the noise.
        at_kl_nats: where gold is compared.
        methods: only these; of none, all.
        proxies: only these; of none, all.
        systems: whether methods meet together with the proxies that they see.
    """

    title: str
    folder: str
    baselines: tuple[str, ...]
    noise: str
    at_kl_nats: float = AT_KL_NATS
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


QUESTIONS = (
    Asked(
        "Methods, a quarter of the labels flipped",
        *("matrix", ("dpo", "bon"), "0.25"),
        proxies=("single",),
    ),
    Asked(
        "Methods on fresh seeds",
        *("confirm", ("dpo", "bon"), "0.25"),
        proxies=("single",),
    ),
    Asked(
        "Inference-time methods, no label flipped",
        *("noiseless", ("bon",), "0"),
        proxies=("single",),
    ),
    Asked(
        "Reward models under best-of-n, a quarter of the labels flipped",
        *("matrix", ("bon × single",), "0.25", AT_KL_NATS, ("bon",)),
        systems=True,
    ),
    Asked(
        "Reward models under best-of-n, on fresh seeds",
        *("confirm", ("bon × single",), "0.25"),
        methods=("bon",),
        systems=True,
    ),
    Asked(
        "Reward models under RLOO, a quarter of the labels flipped",
        *("matrix", ("rloo × single",), "0.25", AT_KL_NATS, ("rloo",)),
        systems=True,
    ),
    Asked(
        "Reward models under best-of-n, no label flipped",
        *("noiseless", ("bon × single",), "0", AT_KL_NATS, ("bon",)),
        systems=True,
    ),
)
"""In the order of the page. The fresh seeds are for what came out ahead on the first ones."""
