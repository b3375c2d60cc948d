"""``footfall up`` and ``footfall demo``: the service itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.errors import FootfallError
from serve import logs
from serve.cli import terminal
from serve.cli.models import pull_shown
from serve.cli.terminal import out
from serve.launch.demo import Demo
from serve.launch.service import Service
from serve.settings import Settings, load

LOOK_S = 0.5


def up_command(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings; see docs/settings.md.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; beyond loopback a token is needed.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the API and the page.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Database and spool.")] = None,
) -> None:
    """Run the service until Ctrl-C; SIGHUP has it read the file again.

    Every setting can stand in the file or in the environment: FOOTFALL_API__PORT is api.port. All of them, with their
    bounds and defaults, are in docs/settings.md, and `footfall settings` prints those in force.
    """
    with terminal.reporting():
        given: dict[str, Any] = {}
        if data_dir is not None:
            given["data_dir"] = str(data_dir)
        api = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        if api:
            given["api"] = api
        settings = load(config, **given)
        logs.configure(settings.log_level, settings.log_format)
        with terminal.stopping() as stop, terminal.hanging_up() as again, Service(settings) as service:
            out.print(f"Footfall is at {service.url} until Ctrl-C")
            while not stop.wait(LOOK_S):
                if again.is_set():
                    again.clear()
                    take_over(service, lambda: load(config, **given), stop)
            out.print("stopping: draining streams")


def take_over(service: Service, read: Callable[[], Settings], stop: threading.Event) -> None:
    """With settings that are read anew; what is wrong with them is said, and the service goes on."""
    try:
        service.update(read(), stop)
    except FootfallError as error:
        terminal.warn(f"the settings are not taken over: {error}")
    else:
        out.print("the settings are taken over")


def demo_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8000,
    data_dir: Annotated[Path, typer.Option(help="Database of the demo.")] = Path("footfall-data/demo"),
    kafka: Annotated[str | None, typer.Option(help="Brokers; adds a camera whose frames come over Kafka.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop by itself after this long.")] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard too.")] = False,
) -> None:
    """The whole service on this machine, with four simulated RTSP cameras; prints the page's address."""
    with terminal.reporting():
        settings = load(
            None,
            data_dir=str(data_dir),
            api={"port": port},
            ray={"dashboard": dashboard},
            log_format="text",
            log_level="WARNING",
        )
        logs.configure(settings.log_level, settings.log_format)
        pull_shown(settings.detector.model)
        demo = Demo(settings, kafka=kafka)
        with terminal.progress("frames") as report:
            demo.prepare(report)
        out.print("starting the service")
        with terminal.stopping() as stop, demo:
            out.print(f"\nFootfall is at [bold]{demo.url}[/bold] until Ctrl-C", markup=True)
            out.print(f"four simulated cameras; {demo.fault_in_words}")
            stop.wait(seconds)
            out.print("stopping")
