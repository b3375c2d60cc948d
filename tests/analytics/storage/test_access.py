"""One suite for every store of tokens and of the audit log."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.errors import TokenConflict
from analytics.storage.access import MAX_TOKENS, AccessStore, AuditRecord, DatabaseAccessStore, TokenRecord
from analytics.storage.database import DatabaseStore
from tests.fakes import MemoryAccessStore

SHOP = TokenRecord("shop", "viewer", "ab" * 32, 1000.0)
CHANGE = AuditRecord(1000.5, "shop", "put_stream", "PUT", "/api/v1/streams/door", 201, "door")


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def access(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AccessStore]:
    """Every kind, empty; each keeps five entries of the log."""
    if request.param == "memory":
        yield MemoryAccessStore(max_audited=5)
        return
    if request.param == "sqlite":
        database = DatabaseStore(f"sqlite:///{tmp_path / 'footfall.db'}")
        database.migrate()
    else:
        server = request.getfixturevalue("postgres")
        database = DatabaseStore(server.fresh_database(template=request.getfixturevalue("migrated")))
    yield DatabaseAccessStore(database, max_audited=5)
    database.close()


def test_tokens_come_back_by_name_as_they_were_stored(access: AccessStore) -> None:
    other = TokenRecord("gate", "admin", "cd" * 32, 1001.0, 2000.0)
    access.add_token(SHOP)
    access.add_token(other)
    assert access.tokens() == [other, SHOP]


def test_a_name_is_given_once_and_is_free_again_after_it_was_revoked(access: AccessStore) -> None:
    access.add_token(SHOP)
    with pytest.raises(TokenConflict):
        access.add_token(replace(SHOP, scope="admin", digest="ef" * 32))
    assert access.tokens() == [SHOP]
    assert access.revoke_token("shop") is True
    assert access.revoke_token("shop") is False
    access.add_token(SHOP)


def test_there_is_an_end_to_tokens(access: AccessStore) -> None:
    for number in range(MAX_TOKENS):
        access.add_token(replace(SHOP, name=f"t{number}"))
    with pytest.raises(TokenConflict):
        access.add_token(SHOP)


def test_the_log_is_told_newest_first_and_a_page_at_a_time(access: AccessStore) -> None:
    for number in range(4):
        access.append_audit(replace(CHANGE, status=200 + number))
    first = access.audit(3)
    assert [entry.status for entry in first] == [203, 202, 201]
    rest = access.audit(3, before=first[-1].number)
    assert [replace(entry, number=0) for entry in rest] == [replace(CHANGE, status=200)]


def test_the_oldest_entries_go_and_numbers_are_not_used_again(access: AccessStore) -> None:
    for number in range(12):
        access.append_audit(replace(CHANGE, status=200 + number))
    kept = access.audit(100)
    assert [entry.status for entry in kept] == [211, 210, 209, 208, 207]
    assert len({entry.number for entry in kept}) == 5


@pytest.mark.parametrize("before", [None, 0o644])
def test_the_database_is_readable_for_its_owner_alone(tmp_path: Path, before: int | None) -> None:
    """Even in a folder that is open to all, and if an earlier version made it."""
    tmp_path.chmod(0o755)
    file = tmp_path / "footfall.db"
    if before is not None:
        file.touch()
        file.chmod(before)
    database = DatabaseStore(f"sqlite:///{file}")
    database.migrate()
    DatabaseAccessStore(database).add_token(SHOP)
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in tmp_path.iterdir()}
    database.close()
    assert set(modes.values()) == {0o600}, modes
