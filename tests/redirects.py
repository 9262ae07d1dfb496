"""A server that redirects each request to another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers import serving


@contextmanager
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server that leads to another one, and the paths for which that was asked."""
    paths: list[str] = []

    async def there(request: Request) -> Response:
        paths.append(request.url.path)
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/{path:path}", there, methods=["GET", "POST"])])) as other:

        async def away(_: Request) -> Response:
            return RedirectResponse(f"{other.base_url}/there?key=sesame", 302)

        with serving(Starlette(routes=[Route("/{path:path}", away, methods=["GET", "POST"])])) as client:
            yield str(client.base_url), paths
