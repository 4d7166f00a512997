"""The tag that brings the page script into a page; knows nothing of what the script does."""

from __future__ import annotations

from html import escape


def script_tag(base: str, token: str) -> str:
    """The tag; `base` is what addresses of the service begin with, `token` the page's."""
    return f'<script async src="{escape(base)}/adlayout.js" data-token="{token}"></script>'
