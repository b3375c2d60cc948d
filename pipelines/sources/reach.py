"""What sources may open: folders of recordings, and networks of cameras and brokers.

Whoever may register a stream names paths and hosts, and is told what became of them. Without bounds that would be a
way to look at any file of the machine and to map the network that it stands in.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pipelines.errors import SourceNotAllowed, SourceNotKnown

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
LOCAL_NETWORKS = (
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    *("::1/128", "fc00::/7"),
)
"""This machine and private networks: where cameras are."""
_HOLD_IPV4 = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
"""Networks of IPv6 whose last 32 bits are an address of IPv4 that is reached through them."""
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        # Link-local: there a cloud's metadata service hands out credentials.
        *("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"),
        *("0.0.0.0/8", "::/128", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8"),
    )
)


def _resolved(host: str) -> list[str]:
    """Addresses of a name, as the system finds them."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))


@dataclass(frozen=True)
class Reach:
    """Bounds of what sources may open.

    Attributes:
        file_dirs: folders of recordings; None for any path.
        networks: CIDRs, names of hosts, and suffixes of names that begin with a dot; None for any host.
        resolve: addresses of a name; raises OSError if there are none.
        setting: that the networks come from, for those who are refused.
    """

    file_dirs: Sequence[Path] | None = None
    networks: Sequence[str] | None = None
    resolve: Callable[[str], list[str]] = _resolved
    setting: str = "sources.networks"

    def path(self, path: Path) -> Path:
        """The file that a path leads to, links followed.

        Raises:
            SourceNotAllowed: it lies elsewhere. Nothing tells whether it is there.
        """
        try:
            found = path.resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle, a null in the name
            found = None
        if self.file_dirs is None:
            return found or path
        if found is None or not any(found.is_relative_to(folder.resolve()) for folder in self.file_dirs):
            raise SourceNotAllowed(
                "recordings lie in the folders of sources.file_dirs, and this path is in none of them"
            )
        return found

    def host(self, host: str) -> None:
        """Look at what can be said of a host without asking anybody.

        Raises:
            SourceNotAllowed: an address outside of the networks.
        """
        address = _address(host)
        if self.networks is not None and address is not None and not self._holds(address):
            raise SourceNotAllowed(self._elsewhere)

    def addresses(self, host: str) -> list[str]:
        """Addresses of a host, every one of them allowed; connect to these, since a name may change its mind.

        Raises:
            SourceNotAllowed: it lies outside of the networks.
            SourceNotKnown: it has no address by now; says the same, so that nobody learns which names there are.
        """
        if self.networks is None:
            return [host]
        literal = _address(host)
        if literal is not None:
            self.host(host)
            return [str(literal)]
        try:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in self.resolve(host)]
        except (OSError, ValueError):
            raise SourceNotKnown(self._elsewhere) from None
        named = self._names(host)
        if not found or any(_never(one) or not (named or self._holds(one)) for one in found):
            raise SourceNotAllowed(self._elsewhere)
        return [str(one) for one in found]

    @property
    def _elsewhere(self) -> str:
        return f"the host is not known, or in none of the networks that this service may reach ({self.setting})"

    def _holds(self, address: Address) -> bool:
        networks = (_network(text) for text in self.networks or ())
        return not _never(address) and any(network is not None and _plain(address) in network for network in networks)

    def _names(self, host: str) -> bool:
        """Whether a name is listed as such, or ends like one that is."""
        name = host.rstrip(".").lower()
        listed = [text.lower() for text in self.networks or () if _network(text) is None]
        return any(name == text or (text.startswith(".") and name.endswith(text)) for text in listed)


ANYWHERE = Reach()
"""For recordings on the command line: whoever runs it may read what he may read."""


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as one of IPv6, in whichever way, is what it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and any(address in network for network in _HOLD_IPV4) and int(address) > 0xFFFF:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def _never(address: Address) -> bool:
    return any(_plain(address) in network for network in _NEVER)


def _address(host: str) -> Address | None:
    """A host that is given by address, in any of the ways in which the system would read it."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433, 0x7f.1, 127.1
    except (OSError, UnicodeError):
        return None


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def check_network(text: str) -> str:
    """An entry of ``networks`` as it is written. Raises ValueError if it is neither a network nor a name."""
    if _network(text) is None and ("/" in text or not text.strip(".") or any(c.isspace() or c == "*" for c in text)):
        raise ValueError(f"{text!r} is no network such as 10.0.0.0/8, and no name such as camera.lan or .lan")
    return text
