"""Which config directory a command works on. Reads nothing in it."""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

from adlayout.errors import ConfigError, Fault


def add_config(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names the config directory."""
    parser.add_argument(
        "--config", type=Path, metavar="DIR", help="the config directory (default: ./config, else the sample)"
    )


def missing(directory: Path) -> Fault | None:
    """What is wrong where the directory is none."""
    if directory.is_dir():
        return None
    what = "is a file: name its config directory" if directory.exists() else "there is no such directory"
    return Fault(str(directory), what)


def config_directory(named: Path | None) -> Path:
    """The directory that was named, else `./config`, else the sample that is installed with adlayout."""
    if named is not None:
        if fault := missing(named):
            raise ConfigError((fault,))
        return named
    beside = Path("config")
    sample = Path(str(files("adlayout"))) / "sample"
    found = next((directory for directory in (beside, sample) if directory.is_dir()), None)
    if found is None:
        raise ConfigError((Fault("", "no config directory here: name one with --config DIR"),))
    return found
