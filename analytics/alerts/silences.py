"""Times in which people do not want to hear of something, since they know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from analytics.alerts.rules import is_number
from analytics.errors import SilenceInvalid, UnknownSilence
from analytics.events import identity

MOST_SILENCES = 1000
LONGEST_S = 30 * 86_400.0
MOST_AHEAD_S = 366 * 86_400.0
"""How long before it begins a silence may be asked for, seconds."""
LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts of a rule, or of a subject, or of one of the other, of which nobody is to be told for a while.

    Attributes:
        id: 32 hexadecimal digits, made of all the rest.
        rule: name; None: of all rules.
        subject: id of a stream, or ``service``; None: of all.
        from_s: when it begins, seconds since the epoch.
        until_s: when it is over, likewise.
        by: who wants it.
        reason: what for; may be empty.
    """

    id: str
    rule: str | None
    subject: str | None
    from_s: float
    until_s: float
    by: str
    reason: str

    @staticmethod
    def of(rule: str | None, subject: str | None, from_s: float, until_s: float, by: str, reason: str) -> Silence:
        """With its id.

        Raises:
            SilenceInvalid: its times or texts cannot be.
        """
        if not (is_number(from_s) and is_number(until_s) and 0 < until_s - from_s <= LONGEST_S):
            raise SilenceInvalid(f"a silence must end after it begins, within {LONGEST_S / 86_400:.0f} days")
        for name, text in (("rule", rule), ("subject", subject), ("by", by), ("reason", reason)):
            if text is not None and not _is_text(text):
                raise SilenceInvalid(f"{name} must be text of at most {LONGEST_TEXT} characters")
        what = (rule, subject, float(from_s), float(until_s), by, reason)
        return Silence(identity(*what), *what)


class Silences:
    """Those that are, and those to come. They end when the clock says so: that is what people were promised.

    One that has begun stays so, though the clock be set back to before it.
    """

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}
        self._begun: set[str] = set()
        self._covered: set[tuple[str | None, str | None]] = set()

    def all(self) -> list[Silence]:
        """By when they begin."""
        return sorted(self._all.values(), key=lambda one: (one.from_s, one.id))

    def covers(self, rule: str, subject: str) -> bool:
        """Whether one that has begun is about this."""
        covered = self._covered
        return bool(covered) and not covered.isdisjoint(
            ((rule, subject), (rule, None), (None, subject), (None, None)),
        )

    def go_on(self, now_s: float) -> None:
        """Some begin, and those that are over vanish."""
        self._all = {id: one for id, one in self._all.items() if now_s < one.until_s}
        self._begun = {id for id, one in self._all.items() if one.from_s <= now_s or id in self._begun}
        self._cover()

    def add(self, silence: Silence, now_s: float) -> None:
        """Take one more; the same one again changes nothing.

        Raises:
            SilenceInvalid: it is over already, begins too far ahead, or there are too many.
        """
        self.go_on(now_s)
        if silence.until_s <= now_s:
            raise SilenceInvalid("the silence is over already")
        if silence.from_s - now_s > MOST_AHEAD_S:
            raise SilenceInvalid(f"a silence must begin within {MOST_AHEAD_S / 86_400:.0f} days")
        if silence.id not in self._all and len(self._all) >= MOST_SILENCES:
            raise SilenceInvalid(f"there are {MOST_SILENCES} silences, and no more are possible")
        self._all[silence.id] = silence
        self.go_on(now_s)

    def remove(self, id: str) -> Silence:
        """End one, or call it off.

        Raises:
            UnknownSilence: there is none of this id.
        """
        if id not in self._all:
            raise UnknownSilence(f"there is no silence {id!r}")
        self._begun.discard(id)
        silence = self._all.pop(id)
        self._cover()
        return silence

    def forget(self, subject: str) -> None:
        """End those of a subject that is no more."""
        for silence in [one for one in self._all.values() if one.subject == subject]:
            self.remove(silence.id)

    def _cover(self) -> None:
        self._covered = {(one.rule, one.subject) for id, one in self._all.items() if id in self._begun}

    def snapshot(self) -> list[dict[str, Any]]:
        """The state as JSON types."""
        return [asdict(silence) | {"begun": silence.id in self._begun} for silence in self.all()]

    @staticmethod
    def restored(state: Any) -> Silences:
        """From a `snapshot`.

        Raises:
            ValueError: it is none.
        """
        made = Silences()
        if not isinstance(state, list) or len(state) > MOST_SILENCES:
            raise ValueError(f"silences must be a list of at most {MOST_SILENCES}")
        for document in state:
            silence = _restored(document)
            made._all[silence.id] = silence
            if document["begun"]:
                made._begun.add(silence.id)
        if len(made._all) != len(state):
            raise ValueError("silences repeat")
        made._cover()
        return made


def _restored(document: Any) -> Silence:
    names = {field.name for field in fields(Silence)}
    if not isinstance(document, Mapping) or set(document) != names | {"begun"}:
        raise ValueError(f"a silence must have {', '.join(sorted(names))} and begun")
    if not isinstance(document["begun"], bool) or not all(isinstance(document[name], str) for name in ("by", "reason")):
        raise ValueError("a silence has a part of another kind")
    try:
        silence = Silence.of(**{name: document[name] for name in names - {"id"}})
    except SilenceInvalid as error:
        raise ValueError(f"a silence cannot be so: {error}") from error
    if silence.id != document["id"]:
        raise ValueError("a silence has the id of another")
    return silence


def _is_text(value: Any) -> bool:
    """Short, and without halves of characters: no answer could hold those."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_TEXT
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )
