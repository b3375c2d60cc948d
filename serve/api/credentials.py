"""Tokens: how they are made, what they allow, and how one is recognised without asking the database every time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from analytics.errors import StoreError
from analytics.storage.access import AccessStore, TokenRecord
from serve.errors import BadRequest

logger = logging.getLogger(__name__)
FRESH_S = 2.0
"""How long what the database said of tokens is believed: a revoked one stops working within this time."""
STALE_S = 300.0
"""The same while the database does not answer; after that, only the token of the settings is known."""
RETRY_S = 5.0
PATIENT_S = 1.0
"""How long a database that says nothing keeps a caller waiting whose token is known."""
TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
THIS_MACHINE, FROM_SETTINGS = "this-machine", "settings"
"""Names of callers without a stored token, which no stored token may have."""


class Scope(StrEnum):
    """What a token allows; each allows what those before it do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, needed: Scope) -> bool:
        ranks = list(Scope)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as far as it is known.

    Attributes:
        name: of the token.
        scope: what it allows.
    """

    name: str
    scope: Scope


def new_token(name: str, scope: Scope, now_s: float, expires_s: float | None = None) -> tuple[TokenRecord, str]:
    """What is stored of a new token, and the token itself, which nobody can tell a second time.

    Raises:
        BadRequest: no token can have that name, or it would have expired already.
    """
    if not TOKEN_NAME.fullmatch(name) or name in (THIS_MACHINE, FROM_SETTINGS):
        reserved = f"and neither {THIS_MACHINE} nor {FROM_SETTINGS}"
        raise BadRequest(f"a token's name is 1 to 64 letters, digits, '_', '.' or '-', {reserved}")
    if expires_s is not None and expires_s <= now_s:
        raise BadRequest("the token would have expired already")
    secret = f"ff_{secrets.token_urlsafe(32)}"
    return TokenRecord(name, scope, digest(secret), now_s, expires_s), secret


def digest(secret: str) -> str:
    """What is stored in a token's place.

    A token holds 256 random bits: nobody can try them all, so neither salt nor a slow hash would add anything.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Question:
    """To the database; when, in monotonic seconds."""

    answer: asyncio.Task[Sequence[TokenRecord]]
    asked_s: float


class Credentials:
    """Recognises tokens. All methods run on one event loop; the store is asked in threads.

    Args:
        store: of tokens.
        admin_token: the one of the settings; None if there is none.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        store: AccessStore,
        admin_token: str | None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._admin_digest = None if admin_token is None else digest(admin_token)
        self._clock = clock
        self._wall_clock = wall_clock
        self._reading = asyncio.Lock()
        self._stored: Sequence[TokenRecord] = ()
        self._read_s = -STALE_S
        self._ask_again_s = clock()
        self._question: _Question | None = None

    async def needed(self) -> bool:
        """Whether there is any token at all; those that have expired count, or time would open the door.

        Raises:
            StoreError: the database has not answered for too long.
        """
        return self._admin_digest is not None or bool(await self._tokens())

    async def caller_of(self, offered: str) -> Caller | None:
        """Whose token that is; None if it is nobody's, or was revoked, or has expired.

        Raises:
            StoreError: the database has not answered for too long, and it is not the token of the settings.
        """
        found = digest(offered)
        if self._admin_digest is not None and hmac.compare_digest(found, self._admin_digest):
            return Caller(FROM_SETTINGS, Scope.ADMIN)
        caller = None
        for token in await self._tokens():
            # All of them, every time: how long it takes tells nothing.
            if hmac.compare_digest(found, token.digest) and not self._expired(token):
                caller = Caller(token.name, Scope(token.scope))
        return caller

    def forget(self) -> None:
        """Ask the database before the next answer: tokens were changed here."""
        self._ask_again_s, self._question = self._clock(), None

    def _expired(self, token: TokenRecord) -> bool:
        return token.expires_s is not None and token.expires_s <= self._wall_clock()

    async def _tokens(self) -> Sequence[TokenRecord]:
        if self._clock() < self._ask_again_s:
            return self._stored
        async with self._reading:  # one question for all who wait
            while self._clock() >= self._ask_again_s:
                self._hear_of_the_last()
                known = self._clock() - self._read_s <= STALE_S
                question = self._question = self._question or self._ask()
                await asyncio.wait({question.answer}, timeout=PATIENT_S if known else None)
                if self._question is question:  # else tokens were changed meanwhile
                    self._take(question, known)
            return self._stored

    def _ask(self) -> _Question:
        """Goes on when nobody waits for the answer any more: a database that hangs is asked once."""
        question = _Question(
            asyncio.get_running_loop().create_task(asyncio.to_thread(self._store.tokens)), self._clock()
        )
        # Whoever comes next is told; if nobody does, nothing went wrong.
        question.answer.add_done_callback(lambda task: task.cancelled() or task.exception())
        return question

    def _hear_of_the_last(self) -> None:
        """What nobody waited for any more: it may be old, but is better than what was known before."""
        if self._question is not None and self._question.answer.done():
            with suppress(StoreError):
                self._stored, self._read_s = self._question.answer.result(), self._question.asked_s
            self._question = None

    def _take(self, question: _Question, known: bool) -> None:
        """What the database says of tokens, or that it says nothing.

        Raises:
            StoreError: it is away, and has been for too long.
        """
        now_s = self._clock()
        if not question.answer.done():
            logger.warning("tokens are taken as they were known: the database takes long to answer")
            self._ask_again_s = now_s + RETRY_S
            return
        self._question = None
        try:
            stored = question.answer.result()
        except StoreError as error:
            if not known:
                raise
            logger.warning("tokens are taken as they were known: %s", error)
            self._ask_again_s = now_s + RETRY_S
        else:
            self._stored, self._read_s, self._ask_again_s = stored, question.asked_s, now_s + FRESH_S
