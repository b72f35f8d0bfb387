"""What the tests of this folder share; made once."""

from __future__ import annotations

import pytest
from transformers import PreTrainedModel

from overopt.stages.shown.enumeration import Enumeration
from overopt.worlds.tabular.world import Tabular

from . import hundred


@pytest.fixture(scope="session")
def world() -> Tabular:
    """The tabular world."""
    return hundred.world()


@pytest.fixture(scope="session")
def initial(world: Tabular) -> PreTrainedModel:
    """The initial policy."""
    return hundred.reference(world)


@pytest.fixture(scope="session")
def exact(world: Tabular, initial: PreTrainedModel) -> Enumeration:
    """Every response of the initial policy with its gold."""
    return Enumeration(world, initial, world.gold)


@pytest.fixture(scope="session")
def policies(world: Tabular, initial: PreTrainedModel, exact: Enumeration) -> list[hundred.Known]:
    """A hundred policies with exact and sampled KL and gold."""
    return hundred.hundred(initial, world, exact)
