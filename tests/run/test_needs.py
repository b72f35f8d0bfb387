"""Methods that ask for what a task has not are refused before anything is built."""

from __future__ import annotations

import pytest

from overopt.catalog import systems, toml_files
from overopt.errors import UserError
from overopt.run.needs import check_needs

SINGLE = systems.proxy("single")


@pytest.mark.parametrize("name", ["srpo", "pit"])
@pytest.mark.parametrize("task", ["hh", "alpacafarm"])
def test_revisions_need_the_separator_of_a_generated_world(name: str, task: str) -> None:
    method = systems.method(name)
    with pytest.raises(UserError, match=f"{name} asks for revisions, whose prompts end in a sep"):
        check_needs(method, toml_files.load_task(task), SINGLE)
    check_needs(method, toml_files.load_task("reviews"), SINGLE)


def test_mismatched_responses_need_a_second_pair_in_the_batch() -> None:
    task = toml_files.load_task("reviews")
    alone = task.model_copy(update={"pairs": task.pairs.model_copy(update={"batch_size": 1})})
    with pytest.raises(UserError, match=r"pairs come one by one; set pairs\.batch_size to 2"):
        check_needs(systems.method("kto"), alone, SINGLE)
    check_needs(systems.method("kto"), task, SINGLE)
    check_needs(systems.method("dpo"), alone, SINGLE)
