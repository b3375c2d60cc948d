"""Those who get events, a process each, as cheap as they can be: they share the cores with what is measured.

``event_receivers.py KIND WHERE FILE``: appends a line for each event, when it came and how much was there of it. Ends
when it is told to.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO

PARTS = re.compile(rb'"id": ?"([0-9a-f]{32})".*?"time": ?"([^"]+)"')
KINDS = ("sse", "socket", "webhook", "kafka", "mqtt")


def note(out: BinaryIO, body: bytes) -> None:
    """A line for each event in a text."""
    now = b"%.4f" % time.time()
    out.write(b"".join(b"%s %s %s\n" % (now, name, at) for name, at in PARTS.findall(body)))


def sse(url: str, out: BinaryIO) -> None:
    import httpx

    last = "0"
    while True:
        try:
            with httpx.stream("GET", f"{url}/api/v1/events", headers={"Last-Event-ID": last}, timeout=30) as answer:
                number = last
                for line in answer.iter_lines():
                    if line.startswith("id:"):
                        number = line[3:].strip()
                    elif line.startswith("data:"):
                        note(out, line.encode())
                        last = number
        except httpx.HTTPError:
            time.sleep(0.2)


def socket(url: str, out: BinaryIO) -> None:
    import websockets
    from websockets.exceptions import WebSocketException

    async def follow() -> None:
        last = "0"
        while True:
            try:
                address = f"{url.replace('http', 'ws', 1)}/api/v1/events/socket?after={last}"
                async with websockets.connect(address, max_queue=1000) as connection:
                    async for message in connection:
                        body = message.encode() if isinstance(message, str) else message
                        note(out, body)
                        if found := re.search(rb'"sequence": ?"(\d+)"', body):
                            last = str(int(found[1]))
            except (WebSocketException, OSError):
                await asyncio.sleep(0.2)

    asyncio.run(follow())


def webhook(port: str, out: BinaryIO) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            note(out, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


def kafka(where: str, out: BinaryIO) -> None:
    from kafka import KafkaConsumer

    address, topic = where.split("/")
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=[address],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        metadata_max_age_ms=1000,
    )
    while True:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                note(out, record.value)


def mqtt(port: str, out: BinaryIO) -> None:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    def heard(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        note(out, message.payload)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda made, *_: made.subscribe("footfall/+/events/#", qos=1)
    client.on_message = heard
    client.connect("127.0.0.1", int(port))
    client.loop_forever()


if __name__ == "__main__":
    with open(sys.argv[3], "ab", buffering=0) as file:  # noqa: PTH123
        {"sse": sse, "socket": socket, "webhook": webhook, "kafka": kafka, "mqtt": mqtt}[sys.argv[1]](sys.argv[2], file)
