"""From a reader's User-Agent to the device, by the few words that browsers have kept stable. Never sees a request."""

from __future__ import annotations

import re

from adlayout.model import Device

# In this order: tablets also say "Android" or "Mobile", phones also say "Linux" or "like Mac OS X".
# "Tablet PC" is what old Windows calls a component of its own, on any computer.
_TABLET = re.compile(r"iPad|Tablet(?! PC)|Kindle|Silk/|PlayBook|Android(?!.*Mobile)", re.IGNORECASE)
_MOBILE = re.compile(r"Mobi|iPhone|iPod|Android|Opera Mini|Windows Phone|BlackBerry", re.IGNORECASE)
_DESKTOP = re.compile(r"Windows NT|Macintosh|X11|CrOS", re.IGNORECASE)


def device_of(user_agent: str | None) -> Device:
    """The device behind a User-Agent; `mobile` where it does not tell. An iPad that poses as a Mac is a desktop."""
    text = (user_agent or "")[:1000]
    if _TABLET.search(text):
        return Device.TABLET
    if _DESKTOP.search(text) and not _MOBILE.search(text):
        return Device.DESKTOP
    return Device.MOBILE
