"""A scene written to disk: the video, and what is true about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from pipelines.errors import SimulatorError
from pipelines.simulator.scene import truth
from pipelines.simulator.scene.scene import Scene
from pipelines.simulator.scene.truth import Person
from pipelines.types import Image

VIDEO = "video.mp4"
GROUND_TRUTH = "gt.txt"
GEOMETRY = "geometry.json"
TRUTH = "truth.json"

KEY_FRAME_EVERY_S = 2
QUALITY_CRF = 20

Progress = Callable[[int, int], None]
"""Called after each frame with the number of frames done and the number of all frames."""


def write_recording(scene: Scene, out_dir: Path, progress: Progress | None = None) -> None:
    """Render a scene into ``video.mp4``, ``gt.txt``, ``geometry.json`` and ``truth.json``.

    The video is H.264 in yuv420p without B-frames, with a key frame every two seconds. ``gt.txt`` has one line
    ``frame,id,x,y,w,h,conf,class,vis`` (MOT Challenge; frames from 1, x and y from 0, pixels) for every frame and every
    person who counts as visible in it: at least a quarter of the person's pixels is neither hidden behind somebody
    nearer nor outside of the frame, and the box, cut at the frame's edge, is at least 12 pixels high.

    ``person_seconds`` in ``truth.json`` is the number of lines of ``gt.txt`` divided by the frame rate; the zone's
    counts foot points, visible or not; see `pipelines.simulator.scene.truth.document`. ``truth.json`` is written last.

    Args:
        scene: what to record.
        out_dir: made if it is missing; files in it are overwritten.
        progress: told after each frame.

    Raises:
        SimulatorError: the folder cannot be written, or the encoder fails.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        _write_json(out_dir / GEOMETRY, scene.geometry())
        visible_person_frames = _write_frames(scene, out_dir, progress)
        document = truth.document(scene.plan, visible_person_frames)
        asked_for = {"seed": scene.seed, "people": scene.people, "max_overlap": scene.max_overlap}
        _write_json(out_dir / TRUTH, {**document, **asked_for})
    except (OSError, av.FFmpegError) as error:
        reason = error.strerror or error
        raise SimulatorError(f"cannot write the recording to {out_dir}: {reason}") from error


def _write_frames(scene: Scene, out_dir: Path, progress: Progress | None) -> int:
    """Video and ground truth; returns the number of lines of the latter."""
    lines = 0
    camera = scene.camera
    with (
        VideoWriter(out_dir / VIDEO, camera.width, camera.height, scene.fps) as video,
        (out_dir / GROUND_TRUTH).open("w", encoding="ascii") as ground_truth,
    ):
        for frame in range(scene.frames):
            image, people = scene.render(frame)
            video.write(image)
            for line in _mot_lines(frame, people):
                ground_truth.write(line)
                lines += 1
            if progress is not None:
                progress(frame + 1, scene.frames)
    return lines


def _mot_lines(frame: int, people: list[Person]) -> Iterator[str]:
    for person in sorted(people, key=lambda one: one.id):
        if person.counts_as_visible:
            x1, y1, x2, y2 = person.box
            yield f"{frame + 1},{person.id},{x1},{y1},{x2 - x1},{y2 - y1},1,1,{person.visible:.3f}\n"


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class VideoWriter:
    """Encodes images into an MP4 file that any camera server can send without re-encoding.

    Args:
        path: of the file, overwritten.
        width: of the images, pixels.
        height: of the images, pixels.
        fps: frames a second.
        codec: FFmpeg's name of the encoder: ``libx264`` or ``libx265``.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, codec: str = "libx264") -> None:
        rate = Fraction(fps).limit_denominator(1001)
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        stream = self._container.add_stream(codec, rate=rate, options=_encoder_options(codec, fps))
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.width = width
        self._stream.height = height
        self._stream.pix_fmt = "yuv420p"

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, image: Image) -> None:
        """Add a frame, BGR."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))

    def close(self) -> None:
        """Finish the file."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def _encoder_options(codec: str, fps: float) -> dict[str, str]:
    """No B-frames, and key frames at equal distances."""
    interval = max(round(KEY_FRAME_EVERY_S * fps), 1)
    options = {"preset": "veryfast", "crf": str(QUALITY_CRF), "bf": "0", "g": str(interval)}
    if codec == "libx265":
        limits = f"bframes=0:keyint={interval}:min-keyint={interval}:scenecut=0:open-gop=0:log-level=error"
        return {**options, "x265-params": limits}
    return {**options, "keyint_min": str(interval), "sc_threshold": "0"}
