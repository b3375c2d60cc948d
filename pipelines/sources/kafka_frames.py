"""What the messages of a topic become: pictures with their time and their place. No broker here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.errors import SourceReordered, SourceUnsupported
from pipelines.sources.base import Position, SourceFrame
from pipelines.sources.kafka_place import PartitionPlace, TopicPlace
from pipelines.sources.messages import MessageDecoder, PictureStarts, codec_of

NO_TIME_S = 4_102_444_800.0
"""The year 2100: a message from later, or from before 1970, cannot be counted in any minute. Clocks that are only wrong
by hours, ours too, are not judged here: `pipelines.sources.clock` sees all times of a stream."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The next step through a partition.

    Attributes:
        partition: number.
        end: offset behind it.
        record: the camera's message; None if there were only others' messages up to ``end``.
    """

    partition: int
    end: int
    record: Any = None


class TopicDecoder:
    """One camera's messages, of all partitions in the order in which they came.

    Args:
        topic: for errors.
    """

    def __init__(self, topic: str) -> None:
        self.place = TopicPlace()
        self._topic = topic
        self._decoder = MessageDecoder()
        self._starts = PictureStarts()
        self._counted: dict[int, int] = {}
        self._untold: dict[int, bytes] = {}
        self._pending: dict[int, tuple[float, Position]] = {}

    def begin(self, partition: int, place: PartitionPlace) -> None:
        """A partition is read from ``place.decode_from`` on; what lies below ``place.next`` was counted already."""
        self.place.partitions[partition] = place
        self._counted[partition] = place.next
        if place.sets:
            self._untold[partition], self._starts = place.sets, PictureStarts(place.sets)

    def size_of(self, passed: Passed) -> tuple[str, int, int] | None:
        """Codec, width and height of a message, if it tells; it is decoded again later."""
        record = passed.record
        if record is None:
            return None
        codec = codec_of(record.value or b"", record.headers or ())
        value = self._untold.get(passed.partition, b"") + record.value
        for _, video_frame in MessageDecoder().decode(value, codec, 0):
            return codec, video_frame.width, video_frame.height
        headers = dict(record.headers or ())
        return codec, int(headers["width"]), int(headers["height"])

    def frames_of(self, passed: Passed) -> Iterator[SourceFrame]:
        """The pictures that a message completes, unless they were counted before.

        Raises:
            SourceUnsupported: it is no picture, or has no time.
            SourceReordered: pictures come in another order than their messages.
            av.error.FFmpegError: it is damaged.
        """
        record, partition = passed.record, passed.partition
        if record is None:
            return
        value = record.value or b""
        codec = codec_of(value, record.headers or ())
        begins = self._starts.begins(value, codec)
        self.place.partitions[partition].take(record.offset, begins=begins, depends=codec == "h264")
        here = (record.timestamp / 1000.0, self.place.position())
        self._pending[record.offset] = here
        try:
            value = self._untold.pop(partition, b"") + value
            for offset, video_frame in self._decoder.decode(value, codec, record.offset):
                time_s, position = self._pending.pop(offset, here)
                if offset < self._counted.get(partition, 0):
                    continue
                if offset < record.offset:
                    raise SourceReordered(f"topic {self._topic!r} holds H.264 with B-frames; encode it without (-bf 0)")
                if not 0.0 <= time_s < NO_TIME_S:
                    raise SourceUnsupported("messages have no time")
                yield SourceFrame(video_frame, time_s, position, bool(video_frame.is_corrupt))
        finally:
            while len(self._pending) > 32:  # messages that never became a picture
                del self._pending[next(iter(self._pending))]

    def pass_by(self, passed: Passed) -> None:
        """Done with it, whatever it was."""
        self.place.partitions[passed.partition].skip(passed.end)
