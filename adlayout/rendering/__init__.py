"""Slots, creatives and page templates as markup; the only room that imports jinja2 and nh3."""
