"""How a reward-side system trains its members and makes one of them, opened once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overopt.engines.method.opened import Opened
from overopt.errors import UserError
from overopt.proxies.contract import ProxySystem
from overopt.proxies.contract.members import MemberTraining, Weights


class OpenedMembers(Opened[ProxySystem]):
    """Tells its members apart, and merges them."""

    def __init__(self, functions: ProxySystem, config: object) -> None:
        super().__init__(functions, config)
        self._vary = self._optional("vary")
        self._merge = self._optional("merge")

    def vary(self, member: int) -> MemberTraining:
        """The training of a member; the task's where nothing is said.

        Raises:
            UserError: its rate or dropout is out of bounds.
        """
        if self._vary is None:
            return MemberTraining()
        found: MemberTraining = self._vary(self._config, member)
        if not (0 < found.rate < math.inf and 0 <= found.dropout < 1):
            raise UserError(
                f"{self.name}: vary returns {found} for member {member}; a rate is above 0, and "
                "dropout from 0 to below 1."
            )
        return found

    def merge(self, weights: Sequence[Weights]) -> Weights:
        """Weights of the merged reward model; only where the system merges."""
        assert self._merge is not None
        merged: Weights = self._merge(self._config, weights)
        return merged
