"""Simulated frames as messages of a Kafka topic, one JPEG or H.264 access unit each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Literal

import av
import av.error
import cv2
from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipelines.errors import SimulatorError
from pipelines.types import Image

Codec = Literal["jpeg", "h264"]
SEND_TIMEOUT_S = 30.0


class KafkaFeed:
    """Sends the frames of one camera to a topic: key = camera, timestamp = event time, size and codec in headers.

    Args:
        brokers: ``host:port``, comma-separated.
        topic: must exist, or be created by the broker.
        key: the camera's.
        codec: of the messages.
        keyframe_every: frames from one H.264 key frame to the next.

    Raises:
        SimulatorError: no broker answers.
    """

    def __init__(self, brokers: str, topic: str, key: str, *, codec: Codec = "jpeg", keyframe_every: int = 30) -> None:
        self.topic = topic
        self._key = key.encode()
        self.codec: Codec = codec
        self._keyframe_every = keyframe_every
        self._encoder: av.VideoCodecContext | None = None
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=brokers.split(","), acks="all", reconnect_backoff_max_ms=500, linger_ms=5
            )
        except (KafkaError, OSError, ValueError) as error:
            raise SimulatorError(f"no Kafka broker answers at {brokers}") from error

    def send(self, image: Image, time_s: float, fps: float = 15.0) -> None:
        """Queue one frame.

        Args:
            image: uint8 ``[H, W, 3]``, BGR.
            time_s: event time, seconds since the epoch.
            fps: nominal rate, for the H.264 encoder.
        """
        height, width = image.shape[:2]
        headers = [("codec", self.codec.encode()), ("width", b"%d" % width), ("height", b"%d" % height)]
        for value in self._encoded(image, fps):
            self._producer.send(self.topic, value, key=self._key, headers=headers, timestamp_ms=round(time_s * 1000))

    def _encoded(self, image: Image, fps: float) -> Iterator[bytes]:
        if self.codec == "jpeg":
            yield cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            return
        if self._encoder is None:
            encoder = av.CodecContext.create("libx264", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.height, encoder.width = image.shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, round(fps))
            encoder.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "22"}
            encoder.gop_size, encoder.max_b_frames = self._keyframe_every, 0
            self._encoder = encoder
        for packet in self._encoder.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
            yield bytes(packet)

    def flush(self) -> None:
        """Wait until the broker has everything.

        Raises:
            SimulatorError: it does not take it in time.
        """
        try:
            self._producer.flush(timeout=SEND_TIMEOUT_S)
        except KafkaError as error:
            raise SimulatorError("the broker does not take the frames") from error

    def close(self) -> None:
        with suppress(KafkaError):
            self._producer.close(timeout=5)


def feed_live(feed: KafkaFeed, images: Iterable[Image], fps: float, stop: threading.Event) -> int:
    """Send images at their own pace, stamped with the time they are sent; returns how many."""
    begun, count = time.monotonic(), 0
    for image in images:
        if stop.wait(max(0.0, begun + count / fps - time.monotonic())):
            break
        feed.send(image, time.time(), fps)
        count += 1
    return count
