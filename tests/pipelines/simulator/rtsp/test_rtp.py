from __future__ import annotations

import asyncio
import base64
import random
import struct

import pytest

from pipelines.simulator.rtsp.messages import Gatekeeper, Request, read_request, response
from pipelines.simulator.rtsp.rtp import (
    LARGEST_PAYLOAD,
    H264Format,
    H265Format,
    PacketStream,
    PayloadFormat,
    payloads,
    split_nals,
)


def test_nal_units_are_split_at_long_and_short_start_codes() -> None:
    assert split_nals(b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65\1\2") == [b"\x67ab", b"\x68c", b"\x65\1\2"]


@pytest.mark.parametrize(
    ("payload_format", "header", "nal_type", "indicator"),
    [(H264Format(), b"\x65", 5, b"\x7c"), (H265Format(), b"\x26\x01", 19, b"\x62\x01")],
    ids=["h264", "h265"],
)
def test_a_large_nal_unit_is_fragmented_and_can_be_put_together(
    payload_format: PayloadFormat, header: bytes, nal_type: int, indicator: bytes
) -> None:
    body = random.Random(1).randbytes(2 * LARGEST_PAYLOAD + 17)
    parts = payloads([header + body], payload_format)
    size = len(indicator)
    assert all(len(part) <= LARGEST_PAYLOAD and part[:size] == indicator for part in parts)
    assert [part[size] for part in parts] == [nal_type | 0x80, nal_type, nal_type | 0x40]
    assert b"".join(part[size + 1 :] for part in parts) == body


def test_packets_are_numbered_and_the_last_one_is_marked() -> None:
    stream = PacketStream(random.Random(1))
    first, second = stream.packets([b"ab", b"c"], 2**32 + 7)
    flags, kind, sequence, timestamp, ssrc = struct.unpack("!BBHII", first[:12])
    assert (flags, kind, timestamp, ssrc, first[12:]) == (0x80, 96, 7, stream.ssrc, b"ab")
    assert second[1] == 0x80 | 96
    assert struct.unpack("!H", second[2:4])[0] == (sequence + 1) % 2**16


def test_a_sender_report_tells_the_capture_time_and_what_was_sent() -> None:
    stream = PacketStream(random.Random(1))
    stream.packets([b"abc", b"de"], 9)
    report = stream.report(1_700_000_000.5, 9)
    _, kind, words, ssrc, seconds, fraction, timestamp, packets, octets = struct.unpack("!BBHIIIIII", report[:28])
    assert (kind, words, ssrc) == (200, 6, stream.ssrc)
    assert (seconds, fraction) == (1_700_000_000 + 2_208_988_800, 2**31)
    assert (timestamp, packets, octets) == (9, 2, 5)
    assert len(report) % 4 == 0
    assert struct.unpack("!H", report[30:32])[0] == (len(report) - 28) // 4 - 1


def parse(raw: bytes) -> Request:
    async def read() -> Request:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return await read_request(reader)

    return asyncio.run(read())


def test_a_request_is_read_past_interleaved_packets_and_bodies() -> None:
    raw = b"$\x01\x00\x02xyDESCRIBE rtsp://h:1/cam1/track0 RTSP/1.0\r\nCSeq: 4\r\nContent-Length: 2\r\n\r\nok"
    request = parse(raw)
    assert (request.method, request.camera, request.headers["cseq"]) == ("DESCRIBE", "cam1", "4")


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"A b C\r\nContent-Length: 99999999\r\n\r\n"])
def test_what_is_not_rtsp_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not an RTSP request"):
        parse(raw)


def test_a_response_repeats_the_sequence_number_and_measures_its_body() -> None:
    request = Request("DESCRIBE", "rtsp://h/cam", {"cseq": "7"})
    lines = response(request, "200 OK", {"A": "b"}, "body").decode().split("\r\n")
    assert lines[0] == "RTSP/1.0 200 OK"
    assert {"CSeq: 7", "A: b", "Content-Length: 4"} <= set(lines)
    assert lines[-1] == "body"


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_basic_credentials_are_compared() -> None:
    gatekeeper = Gatekeeper("me", "s:3cret", "basic")
    assert gatekeeper.admits(Request("PLAY", "u", basic("me:s:3cret")))
    refused = [basic("me:wrong"), basic("you:s:3cret"), {}, {"authorization": "Basic ###"}, {"authorization": "Digest"}]
    assert not any(gatekeeper.admits(Request("PLAY", "u", headers)) for headers in refused)


def test_a_digest_of_another_nonce_is_refused() -> None:
    gatekeeper = Gatekeeper("me", "secret", "digest")
    headers = {"authorization": 'Digest username="me", nonce="old", uri="u", response="00"'}
    assert not gatekeeper.admits(Request("PLAY", "u", headers))


def test_without_a_user_everybody_comes_in() -> None:
    assert Gatekeeper(None, "", "digest").admits(Request("PLAY", "u", {}))
