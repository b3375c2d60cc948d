"""HTTP to receivers that other people name: it reaches no further than it may."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from pipelines.errors import SourceError
from pipelines.sources.reach import Reach

TIMEOUT_S = 10.0


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are allowed alone: a name is resolved once, looked at, and not asked for again.

    Names are looked up in a thread of its own: where nobody answers for them, that takes long.

    Args:
        reach: what may be reached.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = httpcore.AnyIOBackend()
        self._resolver = ThreadPoolExecutor(1, thread_name_prefix="resolve-sink")

    def __del__(self) -> None:
        self._resolver.shutdown(wait=False, cancel_futures=True)

    async def connect_tcp(self, host: str, port: int, *args: object, **options: object) -> httpcore.AsyncNetworkStream:
        """Raises ConnectError where nothing allowed answers."""
        loop = asyncio.get_running_loop()
        try:
            addresses = await loop.run_in_executor(self._resolver, self._reach.addresses, host)
        except SourceError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, *args, **options)  # type: ignore[arg-type]
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, path: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise httpcore.ConnectError(f"{path} is on this machine")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def client(reach: Reach) -> httpx.AsyncClient:
    """One that reaches no further than it may, follows nobody elsewhere, and minds no proxy of the environment."""
    transport = httpx.AsyncHTTPTransport(retries=0)
    transport._pool = httpcore.AsyncConnectionPool(  # httpx has no argument for it
        ssl_context=httpx.create_ssl_context(),
        max_connections=4,
        max_keepalive_connections=4,
        network_backend=CheckedBackend(reach),
    )
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # takes none
    return httpx.AsyncClient(
        transport=transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, cookies=cookies
    )
