"""`GET /docs`: Swagger UI, served from our own files, so that it needs no internet."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import FileResponse, Response

from driftgauge import __version__
from driftgauge.common.quoting import shortened
from driftgauge.edges.http.html_page import SAFE_HEADERS
from driftgauge.errors import Reason, Refused

FOLDER: Final = Path(__file__).parent / "swagger_ui"
ASSETS: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""The files that the page loads, and their content types."""
SCRIPT: Final = (
    'SwaggerUIBundle({url:"openapi.json",dom_id:"#swagger-ui",deepLinking:true,'
    "showExtensions:true,showCommonExtensions:true,validatorUrl:null})"
)
"""Without `validatorUrl: null` Swagger UI may send the document to an online validator."""
_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
PAGE_HEADERS: Final = {
    # Swagger UI sets inline styles and shows images from data URLs.
    "content-security-policy": f"default-src 'none'; script-src 'self' 'sha256-{_HASH}'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    **SAFE_HEADERS,
    "cache-control": "no-cache",
}
ASSET_HEADERS: Final = {
    # The page names our version in their addresses, so a new version is another address.
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}


async def docs(request: Request) -> Response:
    """Show the API in a browser, where requests can be tried out."""
    return Response(page(request.app.title), media_type="text/html", headers=PAGE_HEADERS)


async def docs_asset(request: Request) -> Response:
    """Return a file that the page loads."""
    name: str = request.path_params["asset"]
    if name not in ASSETS:
        raise Refused(Reason.NOT_FOUND, f"/docs has no file {shortened(name)!r}; it has {', '.join(ASSETS)}")
    return FileResponse(FOLDER / name, media_type=ASSETS[name], headers=ASSET_HEADERS)


def page(title: str) -> str:
    """Return the page; its addresses are relative, so it works under any path of a proxy."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="docs/swagger-ui.css?v={__version__}"></head>'
        f'<body><div id="swagger-ui"></div><script src="docs/swagger-ui-bundle.js?v={__version__}"></script>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )
