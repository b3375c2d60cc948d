"""``footfall simulate``: scenes with known truth, as a file or live."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from pipelines.simulator.kafka_feed import Codec, KafkaFeed, feed_live
from pipelines.simulator.live import SceneLoop
from pipelines.simulator.recording import write_recording
from pipelines.simulator.rtsp.camera_server import CameraServer
from pipelines.simulator.scene.camera import Camera
from pipelines.simulator.scene.scene import Scene
from serve.cli import terminal
from serve.cli.models import parse_size
from serve.cli.terminal import out


def simulate_command(
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for video.mp4, gt.txt, geometry.json, truth.json.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed shows the same people.")] = 0,
    people: Annotated[int, typer.Option(min=0, max=60, help="Most people at a time.")] = 8,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length.")] = 20.0,
    size: Annotated[str, typer.Option(help="Picture as WIDTHxHEIGHT.")] = "640x360",
    fps: Annotated[float, typer.Option(min=1, max=60, help="Frames a second.")] = 15.0,
    overlap: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of a person that another may hide.")
    ] = 0.15,
    rtsp: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve it live on this port of 127.0.0.1 (0: any free one).")
    ] = None,
    user: Annotated[str | None, typer.Option(help="User name that the RTSP camera wants.")] = None,
    password: Annotated[str, typer.Option(help="Its password.", envvar="FOOTFALL_CAMERA_PASSWORD")] = "",
    kafka: Annotated[str | None, typer.Option(help="Feed it live to these brokers, host:port.")] = None,
    topic: Annotated[str, typer.Option(help="Kafka topic.")] = "frames",
    key: Annotated[str, typer.Option(help="Kafka key of the camera.")] = "camera-1",
    codec: Annotated[str, typer.Option(help="Of Kafka messages: jpeg or h264.")] = "jpeg",
) -> None:
    """Simulated people with exact truth: write a recording, serve it over RTSP, or feed it to Kafka."""
    with terminal.reporting():
        if out_dir is None and rtsp is None and kafka is None:
            terminal.fail("say where it goes: --out DIR, --rtsp PORT or --kafka BROKERS", terminal.EXIT_USAGE)
        if codec not in ("jpeg", "h264"):
            terminal.fail(f"codec {codec!r} must be jpeg or h264", terminal.EXIT_USAGE)
        width, height = parse_size(size)
        scene = Scene(Camera(width, height), people=people, seconds=seconds, fps=fps, seed=seed, max_overlap=overlap)
        if kafka is not None:
            _feed(scene, kafka, topic, key, "jpeg" if codec == "jpeg" else "h264")
        elif rtsp is not None:
            _serve(scene, out_dir, rtsp, user, password)
        elif out_dir is not None:
            _record(scene, out_dir)
            out.print(f"{scene.frames} frames and their truth are in {out_dir}")


def _record(scene: Scene, out_dir: Path) -> None:
    with terminal.progress("frames") as report:
        write_recording(scene, out_dir, lambda done, total: report("rendering", done, total))


def _serve(scene: Scene, out_dir: Path | None, port: int, user: str | None, password: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        folder = out_dir or Path(scratch)
        _record(scene, folder)
        with (
            CameraServer({"camera": folder / "video.mp4"}, port=port, user=user, password=password) as server,
            terminal.stopping() as stop,
        ):
            out.print(f"serving {server.url('camera', credentials=False)} until Ctrl-C")
            stop.wait()


def _feed(scene: Scene, brokers: str, topic: str, key: str, codec: Codec) -> None:
    feed = KafkaFeed(brokers, topic, key, codec=codec)
    loop = SceneLoop(scene)
    try:
        with terminal.stopping() as stop:
            out.print(f"feeding {key} to topic {topic} at {brokers} until Ctrl-C")
            count = feed_live(feed, (loop.image(n) for n in itertools.count()), scene.fps, stop)
        feed.flush()
        out.print(f"{count} frames sent")
    finally:
        feed.close()
