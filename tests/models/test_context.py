"""A model with more positions reads what it could read before as it did before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.errors import UserError
from overopt.models import context
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import SPECIALS

SMALL = ArchitectureSpec(layers=1, width=8, heads=1)


@pytest.mark.parametrize("tokens", [13, 40])
def test_short_texts_are_read_as_before_and_long_ones_at_all(tokens: int, tmp_path: Path) -> None:
    model = build_policy(SMALL, 12, 10, 0).eval()
    ids_BL = torch.randint(4, 12, (2, 10), generator=torch.Generator().manual_seed(0))
    before = model(input_ids=ids_BL).logits
    context.widen(model, tokens)
    assert torch.equal(model(input_ids=ids_BL).logits, before)
    assert model.config.max_position_embeddings == tokens
    long_BL = torch.randint(4, 12, (2, tokens), generator=torch.Generator().manual_seed(1))
    longer = model(input_ids=long_BL).logits
    assert torch.isfinite(longer).all()
    save_model(model, tmp_path, (*SPECIALS, *(f"w{k}" for k in range(8))))
    assert torch.allclose(load_policy(tmp_path)(input_ids=long_BL).logits, longer)


def test_added_positions_are_copies_of_the_last_ones() -> None:
    model: Any = build_policy(SMALL, 12, 10, 0)
    old_LD = model.transformer.wpe.weight.detach().clone()
    context.widen(model, 10)
    assert torch.equal(model.transformer.wpe.weight, old_LD)
    context.widen(model, 13)
    assert torch.equal(model.transformer.wpe.weight[10:], old_LD[7:])


def test_models_of_other_kinds_are_refused() -> None:
    class Other:
        config = type("Config", (), {"max_position_embeddings": 10})()

    other: Any = Other()
    with pytest.raises(UserError, match="only models of the type gpt2"):
        context.widen(other, 11)
