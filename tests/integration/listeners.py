"""What a service listens on, as the kernel tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_LISTENS, _UNCONNECTED = "0A", "07"


@dataclass(frozen=True)
class Listener:
    """One socket that takes what comes.

    Attributes:
        protocol: tcp or udp.
        address: that it is bound to.
        port: likewise.
        process: the command line of the process that has it.
    """

    protocol: str
    address: IPv4Address | IPv6Address
    port: int
    process: str

    @property
    def on_loopback(self) -> bool:
        mapped = getattr(self.address, "ipv4_mapped", None)
        return (mapped or self.address).is_loopback


def listeners(mark: str) -> list[Listener]:
    """Of all processes that have a text in their environment, daemons that left their parents included."""
    sockets = {inode: found for protocol in ("tcp", "tcp6", "udp", "udp6") for inode, found in _table(protocol)}
    return [
        Listener(protocol.removesuffix("6"), address, port, process)
        for process, inodes in _processes(mark)
        for inode, (protocol, address, port) in sockets.items()
        if inode in inodes
    ]


def _table(protocol: str) -> Iterator[tuple[str, tuple[str, IPv4Address | IPv6Address, int]]]:
    for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        if state == _LISTENS or (protocol.startswith("udp") and state == _UNCONNECTED and int(remote[-4:], 16) == 0):
            text, port = local.split(":")
            words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
            yield inode, (protocol, ip_address(b"".join(words)), int(port, 16))


def _processes(mark: str) -> Iterator[tuple[str, set[str]]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark.encode() not in (entry / "environ").read_bytes():
                continue
            name = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            links = [str(link.readlink()) for link in (entry / "fd").iterdir()]
        except OSError:  # it has just ended
            continue
        yield name, {link[8:-1] for link in links if link.startswith("socket:[")}
