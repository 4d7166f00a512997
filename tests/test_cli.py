"""The command line: what each command prints, where it says what went wrong, and with which exit code it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from adlayout import __version__
from adlayout.cli.directory import config_directory
from adlayout.cli.main import main
from adlayout.cli.terminal import has_colour
from adlayout.errors import ConfigError

SHIPPED = Path(__file__).parent.parent / "config"
PROGRAM = (sys.executable, "-c", "import sys; from adlayout.cli.main import main; sys.exit(main())")
ARTICLE = "<h1>On the hill</h1>\n" + "\n".join(f"<p>Paragraph {n} says a little.</p>" for n in range(1, 7))

Run = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine, and a directory that holds nothing."""
    for name in ("ADLAYOUT_HOST", "ADLAYOUT_PORT", "ADLAYOUT_REDIS_URL", "ADLAYOUT_CMS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def article(tmp_path: Path) -> str:
    """An article in a file."""
    path = tmp_path / "article.html"
    path.write_bytes(ARTICLE.encode())
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the shipped config, to be spoilt."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


LAYOUTS = sorted(path.stem for path in (Path(__file__).parents[1] / "config" / "layouts").glob("*.yaml"))


def without_slots(html: str) -> str:
    """The article with every `aside` of ours cut out."""
    head, *rest = html.split('<aside class="adl-slot"')
    return head + "".join(part.split("</aside>", 1)[1] for part in rest)


# The program as a whole.


def test_the_version_is_told(capsys: Run) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"adlayout {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["check"],
        ["compose"],
        ["explain"],
        ["inventory"],
        ["schema"],
        ["config", "print"],
        ["healthcheck"],
    ],
)
def test_every_command_has_help_with_an_example(command: list[str], capsys: Run) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    assert f"\n  adlayout {' '.join(command)}" in capsys.readouterr().out.split("example", 1)[1]


def test_a_command_that_is_not_there_is_not_understood(capsys: Run) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bake"])
    assert "bake" in capsys.readouterr().err


def _started(*command: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SHIPPED.parent), **env},
    )


def test_a_reader_who_had_enough_is_no_failure_to_speak_of(config: Path) -> None:
    with _started("config", "print") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert (program.stderr.read(), program.wait()) == (b"", 1)


def test_marks_that_the_terminal_cannot_show_are_replaced(article: str, config: Path) -> None:
    with _started("explain", article, PYTHONIOENCODING="ascii") as program:
        out, err = program.communicate()
    assert (b"x gap 0    first: needs" in out, err, program.returncode) == (True, b"", 0)


@pytest.mark.parametrize(
    "command", [["check"], ["config", "print"], ["compose", "article.html"], ["explain", "article.html"]]
)
def test_without_standard_output_nothing_is_said_and_all_is_well(
    command: list[str], article: str, config: Path
) -> None:
    """As under a supervisor that closes what it does not read."""
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *command]
    env = os.environ | {"PYTHONPATH": str(SHIPPED.parent)}
    ended = subprocess.run(closed, stderr=subprocess.PIPE, env=env, check=False)
    assert (ended.stderr, ended.returncode) == (b"", 0)


def test_a_program_in_python_may_collect_what_is_said(config: Path) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["check"]) == 0
    assert said.getvalue() == f"config: good (layouts: {', '.join(LAYOUTS)})\n"


def test_ctrl_c_ends_a_command_without_a_word() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        _started("healthcheck", "--port", str(silent.getsockname()[1])) as program,
    ):
        asked, _ = silent.accept()
        program.send_signal(signal.SIGINT)
        told = program.communicate(timeout=20)
        asked.close()
    assert (told, program.returncode) == ((b"", b""), 130)


# Which directory, and how it looks.


def test_the_config_beside_the_caller_is_taken(config: Path) -> None:
    assert config_directory(None).resolve() == config


def test_the_directory_that_is_named_is_taken(config: Path) -> None:
    with pytest.raises(ConfigError, match="elsewhere: there is no such directory"):
        config_directory(Path("elsewhere"))


class Terminal(io.StringIO):
    """A stream at which a person looks."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "env", "colours"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_there_is_colour_only_where_a_person_wants_it(stream: io.StringIO, env: dict[str, str], colours: bool) -> None:
    assert has_colour(stream, env) is colours


# check


def test_the_shipped_config_is_good(capsys: Run) -> None:
    assert main(["check", str(SHIPPED)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{SHIPPED}: good (layouts: ")
    assert told.err == ""


def test_faults_of_several_directories_are_told_at_once(config: Path, capsys: Run) -> None:
    (config / "adlayout.yaml").write_text("version: 1\nsites: {default: {name: News}}\nserver: {prot: 1}\n")
    assert main(["check", str(config), "nowhere", str(config / "adlayout.yaml")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f'error {config}/adlayout.yaml:3:10: server.prot: unknown key, did you mean "port"?',
        "error nowhere: there is no such directory",
        f"error {config}/adlayout.yaml: is a file: name its config directory",
    ]


def test_a_fault_in_the_settings_hides_no_fault_in_a_layout(config: Path, capsys: Run) -> None:
    (config / "adlayout.yaml").write_text("version: 1\nsites: {default: {name: News}}\nserver: {prot: 1}\n")
    (config / "layouts" / "new.yaml").write_text("version: 1\nname: new\ninline: {evrey: 2 paragraphs}\n")
    assert main(["check", "--config", str(config)]) == 1
    told = capsys.readouterr().err
    assert "server.prot: unknown key" in told
    assert f'{config}/layouts/new.yaml:3:10: inline.evrey: unknown key, did you mean "every"?' in told


def test_check_tells_programs_in_json(config: Path, capsys: Run) -> None:
    (config / "adlayout.yaml").write_text("version: 1\n")
    assert main(["check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["faults"][0]) == (
        False,
        {"at": "config/adlayout.yaml:1:1", "message": "sites: is missing"},
    )


# config print


def test_settings_are_printed_with_where_they_were_set(config: Path, capsys: Run) -> None:
    assert main(["config", "print"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["server.port:", "8080", "# config/adlayout.yaml:62"] in lines
    assert ["admin_token:", "null", "# default"] in lines


def test_settings_are_printed_for_programs(config: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAYOUT_PORT", "9000")
    monkeypatch.setenv("ADLAYOUT_CMS_TOKEN", "swordfish")
    assert main(["config", "print", "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told)["server.port"] == {"value": 9000, "origin": "environment ADLAYOUT_PORT"}
    assert "swordfish" not in told


def test_a_misspelt_variable_is_warned_of(config: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAYOUT_WORKRES", "2")
    assert main(["config", "print"]) == 0
    warning = 'environment ADLAYOUT_WORKRES: not a variable of adlayout, did you mean "ADLAYOUT_WORKERS"?'
    assert capsys.readouterr().err == f"warning {warning}\n"


def test_settings_that_do_not_hold_are_not_printed(config: Path, capsys: Run) -> None:
    (config / "adlayout.yaml").write_text("version: 1\n")
    assert main(["config", "print"]) == 1
    assert capsys.readouterr() == ("", "error config/adlayout.yaml:1:1: sites: is missing\n")


# healthcheck


class Healthy(BaseHTTPRequestHandler):
    """A service that lives, and is ill everywhere else than at /healthz."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Ill(Healthy):
    """A service that answers, and not well."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()


def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def healthy() -> Iterator[int]:
    """The port of a service that lives."""
    yield from _served(Healthy)


@pytest.fixture
def ill() -> Iterator[int]:
    """The port of a service that does not."""
    yield from _served(Ill)


def test_a_service_that_lives_is_healthy(healthy: int, capsys: Run) -> None:
    assert main(["healthcheck", "--port", str(healthy)]) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:{healthy}/healthz: ok\n"


def test_the_port_is_that_of_the_config(healthy: int, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADLAYOUT_PORT", str(healthy))
    assert main(["healthcheck"]) == 0


def test_a_service_that_is_ill_is_not_healthy(ill: int, capsys: Run) -> None:
    assert main(["healthcheck", "--port", str(ill)]) == 1
    assert capsys.readouterr().err == f"error http://127.0.0.1:{ill}/healthz: answered 503\n"


def test_a_service_that_is_not_there_is_not_healthy(capsys: Run) -> None:
    assert main(["healthcheck", "--port", "1"]) == 1
    assert "refused" in capsys.readouterr().err


# compose


def test_a_page_is_composed_without_a_server(
    article: str, config: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compose", article]) == 0
    page = capsysbinary.readouterr().out.decode()
    assert page.count('<aside class="adl-slot"') > 1
    assert "SpreadIt News" in page


def test_the_article_in_a_fragment_is_never_altered(
    article: str, config: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["compose", article, "--output", "fragment", "--layout", "every-2"]) == 0
    page = capsysbinary.readouterr().out.decode()
    assert ("<aside" in page, without_slots(page)) == (True, ARTICLE)


def test_the_same_article_gives_the_same_page_in_a_file(article: str, config: Path) -> None:
    assert main(["compose", article, "-o", "one.html"]) == 0
    assert main(["compose", article, "-o", "two.html"]) == 0
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_what_the_article_is_warned_of_is_said_beside_the_page(config: Path, capsys: Run) -> None:
    Path("open.html").write_text("<div><p>one</p>")
    assert main(["compose", "open.html", "--output", "fragment"]) == 0
    assert capsys.readouterr() == ("<div><p>one</p>", "warning unbalanced_article\n")


def test_bytes_that_are_no_utf_8_come_back(config: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("latin.html").write_bytes(b"<p>caf\xe9\r\n</p>")
    assert main(["compose", "latin.html", "--output", "fragment"]) == 0
    assert capsysbinary.readouterr().out == b"<p>caf\xe9\r\n</p>"


def test_an_article_is_read_from_standard_input(config: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ARTICLE.encode())))
    assert main(["compose", "-", "--output", "fragment", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["output"], without_slots(answer["html"])) == ("fragment", ARTICLE)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["nowhere.html"], "nowhere.html: cannot be read: no such file or directory"),
        (["article.html", "--layout", "evry-2"], 'no layout "evry-2", did you mean "every-2"?'),
        (["article.html", "--site", "x"], 'no site "x", there are: default'),
        (["article.html", "-o", "none/page.html"], "none/page.html: cannot be written: no such file or directory"),
    ],
)
def test_what_stands_in_the_way_is_told(
    arguments: list[str], cause: str, article: str, config: Path, capsys: Run
) -> None:
    assert main(["compose", *arguments]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[-1]) == ("", f"error {cause}")


# explain


def test_an_outline_is_drawn_for_an_article(article: str, config: Path, capsys: Run) -> None:
    assert main(["explain", article, "--layout", "every-2", "--device", "desktop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:46].rstrip() for line in lines[:9]] == [
        "layout every-2 on desktop",
        "",
        "     ✗ gap 0    first: needs 2 paragraphs, has",
        "  1  h1              On the hill",
        "     ✗ gap 1    no_after: needs no h1 above, h",
        "                keep_with_next: h1 must not pa",
        "                first: needs 2 paragraphs, has",
        "  2  p          ¶1   Paragraph 1 says a little",
        "     ✗ gap 2    first: needs 2 paragraphs, has",
    ]
    assert "3 ads in 7 blocks, 6 of them counted as paragraphs" in lines


def test_a_plan_is_printed_for_programs(article: str, config: Path, capsys: Run) -> None:
    assert main(["explain", article, "--layout", "every-2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [slot["gap"] for slot in plan["slots"]] == [3, 5, 7]


@pytest.mark.parametrize(("said", "reason"), [
    (["--section", "Crime"], {"rule": "blocklisted", "needed": 'no section "Crime"', "actual": 'section "Crime"'}),
    (["--tag", "asia", "--tag", "war"], {"rule": "blocklisted", "needed": 'no tag "war"', "actual": 'tag "war"'}),
    (["--tag", "asia"], {"rule": "first", "needed": "3 paragraphs", "actual": "0 paragraphs"}),
])  # fmt: skip
def test_an_article_is_explained_with_its_section_and_tags(
    said: list[str], reason: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {
        "adlayout.yaml": "version: 1\nsites: {default: {name: News, layout: news}}\n",
        "layouts/news.yaml": "version: 1\nname: news\ninline: {blocklist: {sections: [crime], tags: [war]}}\n",
        "templates/article.html.j2": "{{ article }}",
        "one.html": "<p>One.</p>",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert main(["explain", str(tmp_path / "one.html"), "--config", str(tmp_path), "--json", *said]) == 0
    assert json.loads(capsys.readouterr().out)["gaps"][0]["reasons"] == [reason]
