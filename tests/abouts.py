"""What tests say about a model: usual texts, and texts that attack the places where they are shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from driftgauge.about import About
from driftgauge.models.bundle import Bundle, belonging_to

USUAL: Final = About(
    owner="Fraud team",
    contact="fraud@example.org",
    description="Says whether an order is fraud.",
    docs_url="https://wiki.example.org/fraud?page=1&part=2",
    training_data="orders of 2025",
    code_version="3f9c2ab",
)
HOSTILE: Final = About(
    owner="""</dd><script>alert("1")</script> 'Ünïcødé' 名前 👩‍💻 \\ {{ .Labels }} ${x} `*_[a](b)""",
    contact='"><img src=x onerror=alert(1)>@example.org',
    description="<!-- " + 'é"\\<' * 248,
    docs_url="https://example.org/'onmouseover=alert(1)?a=[b]&c=*_d",
    training_data="%s %d {0} \\n \\",
    code_version="# HELP model_info",
)
"""Every text is allowed, and must be shown as it is."""


def of_owner(bundle: Bundle, about: About) -> Bundle:
    """Return a bundle that says this about its model."""
    info = bundle.info.model_copy(update={"about": about})
    return replace(bundle, info=info, baseline=belonging_to(info, bundle.baseline))
