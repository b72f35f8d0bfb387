"""Who is at work in a store: local runs keep a shared store out, and a lost lease is noticed."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from overopt.errors import UserError
from overopt.execution.store import Store


def test_a_store_in_use_is_not_shared_under_its_user(store: Store) -> None:
    """Who locks by the system and who holds leases would not see each other."""
    other = Store(store.root)
    other.hold()
    with pytest.raises(UserError, match=r"A run .* is at work in the store"):
        store.share()
    assert not (store.root / "shared.json").exists()
    other.close()
    store.share(0.3)
    assert store.locks.suffix == ".lease"
    assert Store(store.root).locks.suffix == ".lease"
    store.share(5.0)
    assert (store.root / "shared.json").read_text() == '{\n "lease_s": 0.3\n}\n'


def test_a_lease_is_held_by_one(store: Store) -> None:
    store.share()
    held = store.take("ab" * 32)
    assert held is not None
    assert Store(store.root).take("ab" * 32) is None
    held.release()
    again = Store(store.root).take("ab" * 32)
    assert again is not None
    again.release()


def is_lost(store: Store) -> bool:
    """Whether another has taken its place; asked anew each time."""
    return store.is_lost


def test_who_was_given_up_begins_anew(store: Store) -> None:
    """Its lease was taken, and its drafts were removed, while it stood still."""
    store.share(0.3)
    draft = store.draft("one")
    [lease] = (store.root / "tmp").glob("*-*.lease")
    lease.unlink()
    Store(store.root).sweep()
    assert not draft.exists()
    for _ in range(200):
        if is_lost(store):
            break
        Event().wait(0.05)
    assert is_lost(store)
    assert store.draft("two").is_dir()
    assert not is_lost(store)
    store.close()
    assert {path.name for path in (store.root / "tmp").iterdir()} <= {"sweep.lock"}


@pytest.mark.parametrize("text", ["", "{}", '{"lease_s": 0.0}', '{"lease_s": "1"}', "[1]", "["])
def test_a_damaged_mark_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "shared.json").write_text(text)
    with pytest.raises(UserError, match=r"shared\.json is damaged: it must hold lease_s"):
        Store(tmp_path).prepare()
