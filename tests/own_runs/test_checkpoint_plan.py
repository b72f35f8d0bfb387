"""Folders of checkpoints, read before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.own_runs.checkpoint_plan import ADAPTER, check_model, find_checkpoints


def test_two_folders_of_one_step_are_no_run(tmp_path: Path) -> None:
    for name in ("checkpoint-5", "checkpoint-10", "checkpoint-05"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="checkpoint-05 and checkpoint-5 are both step 5"):
        find_checkpoints(str(tmp_path), "float32")
    (tmp_path / "checkpoint-05").rmdir()
    assert [one.step for one in find_checkpoints(str(tmp_path), "float32")] == [5, 10]


@pytest.mark.parametrize("text", [b"[1]", b"{", b'{"peft_type": 3}', b"{}", b"\xff"])
def test_adapters_without_a_description_are_refused_in_one_sentence(
    tmp_path: Path, text: bytes
) -> None:
    (tmp_path / ADAPTER).write_bytes(text)
    (found,) = find_checkpoints(str(tmp_path), "float32")
    with pytest.raises(UserError, match="save the adapters again") as caught:
        check_model(found.origin, "checkpoint 2:", "causal")
    assert "\n" not in str(caught.value)
