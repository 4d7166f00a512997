"""adlayout: an article in, the composed page out."""

__version__ = "0.1.0"
