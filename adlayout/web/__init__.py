"""The HTTP door: bytes in, one typed request; one page, bytes out. The only room that imports starlette and uvicorn."""
