"""The contract at a terminal: what each command prints and where, what it says of its options, and how it ends."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from adlayout.cli.main import main

CONFIG = Path(__file__).parents[1] / "config"
ARTICLE = "<h1>On the hill</h1>\n" + "\n".join(f"<p>Paragraph {n} says a little.</p>" for n in range(1, 7))
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())")
ADS = """
campaigns: [{id: c, advertiser: Acme}]
flights: [{id: f, campaign: c, creatives: [{id: a}]}]
creatives: [{id: a, kind: html, markup: <p>Tea</p>}]
"""
Said = pytest.CaptureFixture[str]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a config, an article and ads, and nothing that the machine says."""
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "article.html").write_text(ARTICLE, "utf-8")
    (tmp_path / "ads.yaml").write_text(ADS, "utf-8")
    for name in ("HOST", "PORT", "REDIS_URL", "CMS_TOKEN"):
        monkeypatch.delenv(f"ADLAYOUT_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command", ["inventory load", "inventory export", "inventory show", "config", "config print", "compose", "explain"]
)
def test_every_verb_has_help_with_an_example(command: str, capsys: Said) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert f"adlayout {command}" in capsys.readouterr().out.split("example", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("compose article.html --device watch", "--device: invalid choice: 'watch' (choose from "),
        ("compose article.html --output esi", "--output: invalid choice: 'esi' (choose from "),
        ("explain article.html --device watch", "--device: invalid choice: 'watch' (choose from "),
    ],
)
def test_a_choice_that_is_none_is_told_what_there_is(arguments: str, wrong: str, capsys: Said) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    told = capsys.readouterr()
    assert (told.out, f"error: argument {wrong}" in told.err, "Device" in told.err) == ("", True, False)


def test_the_whole_answer_goes_to_the_file_that_is_named(desk: Path, capsys: Said) -> None:
    assert main(["compose", "article.html", "--json"]) == 0
    printed = capsys.readouterr().out
    assert main(["compose", "article.html", "--json", "-o", "answer.json"]) == 0
    assert (capsys.readouterr().out, (desk / "answer.json").read_text("utf-8")) == ("", printed)


@pytest.mark.parametrize("command", ["compose", "explain"])
def test_standard_input_is_an_article_too(
    command: str, desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([command, "article.html", "--json"]) == 0
    of_file = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ARTICLE.encode())))
    assert main([command, "-", "--json"]) == 0
    assert capsys.readouterr().out == of_file


def test_what_a_load_changed_is_there_for_programs(desk: Path, clean_store: str, capsys: Said) -> None:
    assert main(["inventory", "load", "ads.yaml", "--redis-url", clean_store, "--json"]) == 0
    one = {"rows": 1, "added": 1, "changed": 0, "removed": 0}
    assert json.loads(capsys.readouterr().out) == {
        "revision": 1,
        "campaigns": one,
        "flights": one,
        "creatives": one,
    }


@pytest.mark.parametrize(
    ("option", "value", "wrong"),
    [
        ("--port", "abc", 'server.port: expected a whole number (got "abc")'),
        ("--workers", "0", "server.workers: expected at least 1 (got 0)"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_of_the_option(desk: Path, option: str, value: str, wrong: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "serve", option, value],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CONFIG.parent)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error {option}: {wrong}\n")


class Alive(BaseHTTPRequestHandler):
    """A service that lives."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_the_service_is_asked_where_it_listens(desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.2", 0), Alive) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ADLAYOUT_HOST", "127.0.0.2")
        code = main(["healthcheck", "--port", str(server.server_port)])
        server.shutdown()
        thread.join()
    assert (code, capsys.readouterr().out) == (0, f"http://127.0.0.2:{server.server_port}/healthz: ok\n")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104 - what a container says
        ("::", "http://127.0.0.1:1"),
    ],
)
def test_a_service_that_is_away_is_told_by_its_address(
    host: str, url: str, desk: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAYOUT_HOST", host)
    monkeypatch.setenv("ADLAYOUT_PUBLIC_URL", "https://ads.example.com")
    assert main(["healthcheck", "--port", "1"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.partition("/healthz: ")[0]) == ("", f"error {url}")


def test_a_service_that_is_away_is_told_without_the_words_of_a_library(desk: Path, capsys: Said) -> None:
    assert main(["healthcheck", "--port", "1"]) == 1
    assert capsys.readouterr() == ("", "error http://127.0.0.1:1/healthz: connection refused\n")
