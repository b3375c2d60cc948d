from __future__ import annotations

from pipelines.sources.kafka_client import _data_first


def test_what_comes_together_with_the_end_of_a_connection_is_read_before_it_ends() -> None:
    """A broker that refuses a password says so and hangs up; on a busy machine both are read at once."""
    end = ConnectionError("hung up")
    answers = iter([(b"a", None), (b"refused", end)])
    receive = _data_first(lambda: next(answers))
    assert receive() == (b"a", None)
    assert receive() == (b"refused", None)
    assert receive() == (b"", end)
    assert receive() == (b"", end)


def test_an_end_without_a_word_is_an_end() -> None:
    end = ConnectionError("hung up")
    assert _data_first(lambda: (b"", end))() == (b"", end)
