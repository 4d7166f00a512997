"""The settings that hold: defaults, the file, the environment over it, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from adlayout.config.effective import TOKENS, VARIABLES, Value, effective, load_settings, state_directory
from adlayout.config.settings import Counting, LayoutRule, Server, Settings, Site, StoreSettings, When
from adlayout.errors import ConfigError, Fault
from adlayout.model import Device

SHIPPED = Path(__file__).parent.parent / "config"
LEAST = "version: 1\nsites: {default: {name: News}}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A config directory with the least that a file may say."""
    (tmp_path / "adlayout.yaml").write_text(LEAST)
    return tmp_path


def faults_of(directory: Path, env: Mapping[str, str]) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load_settings(directory, env)
    return caught.value.faults


def origins(directory: Path, env: Mapping[str, str]) -> dict[str, Value]:
    return {value.key: value for value in effective(directory, env).values()}


def test_the_least_file_gets_every_default(directory: Path) -> None:
    assert load_settings(directory, {}) == Settings(version=1, sites={"default": Site(name="News")})


def test_the_shipped_file_says_the_defaults() -> None:
    site = Site(
        name="SpreadIt News",
        tagline="Digital Newspaper",
        layouts=(LayoutRule(when=When(section=("world",)), layout="article"),),
    )
    assert load_settings(SHIPPED, {}) == Settings(version=1, sites={"default": site})


def test_the_shipped_file_has_a_comment_above_every_key() -> None:
    lines = (SHIPPED / "adlayout.yaml").read_text("utf-8").splitlines()
    places = effective(SHIPPED, {}).source.keys.items()
    starts = {spot.line for trail, spot in places if lines[spot.line - 1].lstrip(" -").startswith(str(trail[-1]))}
    bare = [line for line in sorted(starts) if not lines[line - 2].lstrip().startswith("#")]
    assert [lines[line - 1].strip() for line in bare] == ["default:"]


def test_the_shipped_file_names_every_key() -> None:
    assert {key for key, value in origins(SHIPPED, {}).items() if value.origin == "default"} == {
        "sites.default.layouts.0.when.tags",
        "sites.default.layouts.0.when.device",
        "cms_token",
        "admin_token",
        "secret",
    }


def test_a_room_with_every_key_commented_out_has_its_defaults(directory: Path) -> None:
    (directory / "adlayout.yaml").write_text(f"{LEAST}server:\n  # port: 1\nstore:\nlog:\n")
    assert load_settings(directory, {}).server == Server()


def test_variables_win_over_the_file(directory: Path) -> None:
    (directory / "adlayout.yaml").write_text(f"{LEAST}server: {{port: 1, timeout_ms: 9}}\nstore:\n")
    env = {
        "ADLAYOUT_REDIS_URL": "redis://store/1",
        "ADLAYOUT_SHARDS": "4",
        "ADLAYOUT_DATA_DIR": "/var/lib/adlayout",
        "ADLAYOUT_STATE_DIR": "/var/spool/adlayout",
        "ADLAYOUT_HOST": "0.0.0.0",  # noqa: S104 - a value like any other
        "ADLAYOUT_PORT": "9000",
        "ADLAYOUT_WORKERS": "4",
        "ADLAYOUT_PUBLIC_URL": "https://ads.example.com/",
    }
    settings = load_settings(directory, env)
    assert (settings.server, settings.store, settings.counting, settings.public_url) == (
        Server(host="0.0.0.0", port=9000, workers=4, timeout_ms=9),  # noqa: S104
        StoreSettings(url="redis://store/1", data_dir=Path("/var/lib/adlayout"), shards=4),
        Counting(state_dir=Path("/var/spool/adlayout")),
        "https://ads.example.com",
    )


def test_an_empty_variable_is_not_set(directory: Path) -> None:
    env = dict.fromkeys((*VARIABLES, *TOKENS, *(f"{name}_FILE" for name in TOKENS)), "")
    assert load_settings(directory, env) == load_settings(directory, {})


def test_a_fault_of_a_variable_names_the_variable(directory: Path) -> None:
    assert faults_of(directory, {"ADLAYOUT_PORT": "tcp://10.0.0.1:8080", "ADLAYOUT_WORKERS": "0"}) == (
        Fault("environment ADLAYOUT_PORT", 'server.port: expected a whole number (got "tcp://10.0.0.1:8080")'),
        Fault("environment ADLAYOUT_WORKERS", "server.workers: expected at least 1 (got 0)"),
    )


def test_a_token_comes_from_a_variable(directory: Path) -> None:
    env = {"ADLAYOUT_CMS_TOKEN": "one", "ADLAYOUT_ADMIN_TOKEN": "two"}
    settings = load_settings(directory, env)
    assert (settings.cms_token, settings.admin_token) == ("one", "two")


def test_a_token_comes_from_a_file_without_its_last_line_break(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("swordfish\n")
    settings = load_settings(directory, {"ADLAYOUT_CMS_TOKEN_FILE": str(tmp_path / "token")})
    assert [settings.cms_token] == ["swordfish"]


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        (
            {"ADLAYOUT_CMS_TOKEN": "a b"},
            Fault("environment ADLAYOUT_CMS_TOKEN", "a token is one or more visible ASCII characters, without spaces"),
        ),
        (
            {"ADLAYOUT_CMS_TOKEN_FILE": "/dev/null"},
            Fault(
                "environment ADLAYOUT_CMS_TOKEN_FILE",
                "a token is one or more visible ASCII characters, without spaces",
            ),
        ),
        (
            {"ADLAYOUT_ADMIN_TOKEN_FILE": "/nowhere"},
            Fault("environment ADLAYOUT_ADMIN_TOKEN_FILE", "/nowhere cannot be read: no such file or directory"),
        ),
        (
            {"ADLAYOUT_CMS_TOKEN_FILE": "/dev/null", "ADLAYOUT_CMS_TOKEN": "a"},
            Fault("environment ADLAYOUT_CMS_TOKEN_FILE", "ADLAYOUT_CMS_TOKEN is set too: keep one of the two"),
        ),
        *(
            (
                {"ADLAYOUT_SECRET": secret},
                Fault(
                    "environment ADLAYOUT_SECRET",
                    "a secret is 16 or more visible ASCII characters, without spaces; a comma parts two of them",
                ),
            )
            for secret in ("x" * 15, f"{'x' * 16},{'y' * 15}", f"{'x' * 16},", f"{'x' * 16}, {'y' * 16}", "ü" * 16)
        ),
    ],
)
def test_a_token_that_cannot_be_one_is_a_fault(directory: Path, env: Mapping[str, str], fault: Fault) -> None:
    assert faults_of(directory, env) == (fault,)


def test_secrets_come_in_the_order_in_which_they_are_tried(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{'new' * 8},{'old' * 8}\n")
    settings = load_settings(directory, {"ADLAYOUT_SECRET_FILE": str(tmp_path / "secret")})
    assert (settings.secrets, load_settings(directory, {}).secrets) == (("new" * 8, "old" * 8), ())


def test_no_secret_and_no_password_can_be_seen(directory: Path) -> None:
    env = {
        "ADLAYOUT_REDIS_URL": "redis+sentinel://me:hunter2@a:1,b:2/main",
        "ADLAYOUT_CMS_TOKEN": "swordfish",
        "ADLAYOUT_SECRET": "abracadabra-sesame",
    }
    found = effective(directory, env)
    assert "hunter2" not in repr(found.values())
    assert not any(secret in repr((found.values(), found.settings)) for secret in ("swordfish", "sesame"))


@pytest.mark.parametrize(
    "url",
    [
        "redis://store/1",
        "rediss://store:6380?ssl_ca_certs=/ca.pem",
        "unix:///run/valkey.sock?db=1",
        "redis+cluster://a:1,b:2,c:3",
        "rediss+cluster://me:x@a:1/?ssl_ca_certs=/ca.pem",
        "redis+sentinel://a:1,b:2/main",
        "rediss+sentinel://a:1/main/3?username=me",
    ],
)
def test_a_store_may_be_one_server_a_cluster_or_behind_sentinels(directory: Path, url: str) -> None:
    assert load_settings(directory, {"ADLAYOUT_REDIS_URL": url}).store.url == url


CLUSTER = "expected redis+cluster://HOST:PORT,HOST:PORT (a cluster has no numbered databases)"
SENTINEL = "expected redis+sentinel://HOST:PORT,HOST:PORT/MASTER"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://store", "expected redis://HOST:PORT/DB, rediss://… or unix://PATH"),
        ("unix+cluster://a", "expected redis://HOST:PORT/DB, rediss://… or unix://PATH"),
        ("redis+cluster://", CLUSTER),
        ("redis+cluster://a:1,,b:2", CLUSTER),
        ("redis+cluster://a:1/2", CLUSTER),
        ("redis+sentinel://a:1,b:2", SENTINEL),
        ("redis+sentinel:///main", SENTINEL),
        ("redis+sentinel://a/main/x", SENTINEL),
    ],
)
def test_an_address_that_leads_to_no_store_is_a_fault(directory: Path, url: str, expected: str) -> None:
    assert faults_of(directory, {"ADLAYOUT_REDIS_URL": url}) == (
        Fault("environment ADLAYOUT_REDIS_URL", f'store.url: {expected} (got "{url}")'),
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("counting: {time_zone: Mars/Olympus}", "expected a time zone such as Europe/Berlin"),
        ("counting: {time_zone: ../UTC}", "expected a time zone such as Europe/Berlin"),
        ("counting: {reader_days: 0}", "expected at least 1"),
        ("counting: {hold_s: 3601}", "expected at most 3600"),
        ("store: {shards: 257}", "expected at most 256"),
        ("traffic: {data_centres: [10.0.0.1/8]}", "expected a network such as 192.0.2.0/24 or 2001:db8::/32"),
        ("pacing: {curve: [1, 2]}", "expected at least 24 of them"),
        (f"pacing: {{curve: {[0] * 24}}}", "one hour at least needs a weight"),
        (f"pacing: {{curve: {[-1, *[1] * 23]}}}", "expected at least 0"),
        ("server: {origins: [www.example.com]}", 'expected a scheme and a host, as https://www.example.com, or "*"'),
        (
            'server: {origins: ["https://a.example/b"]}',
            'expected a scheme and a host, as https://www.example.com, or "*"',
        ),
    ],
)
def test_what_counting_and_pacing_cannot_use_is_a_fault(directory: Path, written: str, message: str) -> None:
    (directory / "adlayout.yaml").write_text(f"{LEAST}{written}\n")
    (fault,) = faults_of(directory, {})
    assert fault.message.partition(": ")[2].partition(" (got ")[0] == message


@pytest.mark.parametrize(
    ("written", "env", "directory_of_state"),
    [
        ("", {}, None),
        ("store: {data_dir: /data}", {"XDG_STATE_HOME": "/state"}, "/data"),
        ("store: {data_dir: /data}", {"ADLAYOUT_STATE_DIR": "/own"}, "/own"),
        ("store: {url: redis://a}", {"XDG_STATE_HOME": "/state"}, "/state/adlayout"),
        ("store: {url: redis://a}", {"HOME": "/home/me"}, "/home/me/.local/state/adlayout"),
        ("store: {url: redis://a}", {"HOME": "/home/me", "XDG_STATE_HOME": "rel"}, "/home/me/.local/state/adlayout"),
    ],
)
def test_what_happened_is_written_down_where_it_outlives_the_service(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    written: str,
    env: Mapping[str, str],
    directory_of_state: str | None,
) -> None:
    (directory / "adlayout.yaml").write_text(f"{LEAST}{written}\n")
    monkeypatch.setenv("HOME", "/home/me")
    found = state_directory(load_settings(directory, env), env)
    assert found == (Path(directory_of_state) if directory_of_state else None)


def test_origins_are_compared_as_browsers_write_them(directory: Path) -> None:
    (directory / "adlayout.yaml").write_text(f'{LEAST}server: {{origins: ["https://WWW.Example.com:444", "*"]}}\n')
    assert load_settings(directory, {}).server.origins == ("https://www.example.com:444", "*")


def test_every_value_tells_where_it_was_set(directory: Path) -> None:
    found = origins(directory, {"ADLAYOUT_PORT": "9000", "ADLAYOUT_CMS_TOKEN": "x"})
    told = {found[key] for key in ("version", "server.port", "server.host", "cms_token")}
    assert told == {
        Value("version", 1, f"{directory}/adlayout.yaml:1"),
        Value("server.port", 9000, "environment ADLAYOUT_PORT"),
        Value("server.host", "127.0.0.1", "default"),
        Value("cms_token", "(set)", "environment ADLAYOUT_CMS_TOKEN"),
    }


def test_a_path_is_told_as_text(directory: Path) -> None:
    found = origins(directory, {"ADLAYOUT_DATA_DIR": "/var/lib/adlayout"})
    assert found["store.data_dir"] == Value("store.data_dir", "/var/lib/adlayout", "environment ADLAYOUT_DATA_DIR")


def test_a_variable_for_a_room_that_is_none_leaves_the_fault_in_the_file(directory: Path) -> None:
    (directory / "adlayout.yaml").write_text(f"{LEAST}server: 5\n")
    assert faults_of(directory, {"ADLAYOUT_PORT": "9000"}) == (
        Fault(f"{directory}/adlayout.yaml:3:9", "server: expected keys with values (got 5)"),
    )


@pytest.mark.parametrize("host", ["ads.example.com", "0.0.0.0", "2001:db8::1"])  # noqa: S104 - never bound
def test_a_host_that_is_not_loopback_needs_an_address_for_readers(directory: Path, host: str) -> None:
    (fault,) = faults_of(directory, {"ADLAYOUT_HOST": host})
    needed = f'public_url: is needed because server.host is not this machine alone (got "{host}"):'
    assert (fault.at, fault.message[: len(needed)]) == (f"{directory}/adlayout.yaml:1:1", needed)


def test_a_misspelt_variable_is_a_warning(directory: Path) -> None:
    env = {"ADLAYOUT_REDIS_URI": "redis://store", "ADLAYOUT_PORT_8080_TCP_ADDR": "10.0.0.1", "PATH": "/bin"}
    assert effective(directory, env).warnings == (
        Fault("environment ADLAYOUT_REDIS_URI", 'not a variable of adlayout, did you mean "ADLAYOUT_REDIS_URL"?'),
    )


def test_an_address_for_readers_settles_a_host_that_is_not_loopback(directory: Path) -> None:
    env = {"ADLAYOUT_HOST": "::", "ADLAYOUT_PUBLIC_URL": "http://ads.example.com:81/a"}
    assert load_settings(directory, env).public_url == "http://ads.example.com:81/a"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_address_for_readers(directory: Path, host: str) -> None:
    assert load_settings(directory, {"ADLAYOUT_HOST": host}).server.host == host


@pytest.mark.parametrize("url", ["ftp://a", "https://", "https://a?b", "https://a#b", "https://u:p@a", "a.example"])
def test_an_address_for_readers_is_one_of_the_web(directory: Path, url: str) -> None:
    (fault,) = faults_of(directory, {"ADLAYOUT_PUBLIC_URL": url})
    assert fault.message.startswith("public_url: expected an address such as https://ads.example.com")


def test_layouts_that_do_not_exist_are_told_where_they_are_named(directory: Path) -> None:
    path = directory / "adlayout.yaml"
    path.write_text(
        "version: 1\nsites:\n  a:\n    name: A\n    layout: artcle\n"
        "    layouts: [{when: {tags: [x]}, layout: zzz}]\n  b: {name: B}\n"
    )
    path.write_text(path.read_text() + "default_site: a\n")
    assert effective(directory, {}).layout_faults({"article"}) == (
        Fault(f"{path}:5:13", 'sites.a.layout: no layout "artcle", did you mean "article"?'),
        Fault(f"{path}:6:43", 'sites.a.layouts.0.layout: no layout "zzz", there are: article'),
        Fault(f"{path}:7:3", 'sites.b.layout: no layout "every-2", there are: article'),
    )


SITE = Site(
    name="News",
    layout="usual",
    layouts=(
        LayoutRule(when=When(section=("World", "Asia"), device=(Device.MOBILE,)), layout="small"),
        LayoutRule(when=When(tags=("long read",)), layout="airy"),
        LayoutRule(when=When(section=("world",)), layout="wide"),
    ),
)


@pytest.mark.parametrize(
    ("section", "tags", "device", "layout"),
    [
        ("world", (), Device.MOBILE, "small"),
        ("ASIA", ("long read",), Device.MOBILE, "small"),
        ("world", (), Device.DESKTOP, "wide"),
        ("asia", (), Device.DESKTOP, "usual"),
        ("world", ("x", "Long Read"), Device.DESKTOP, "airy"),
        (None, (), Device.MOBILE, "usual"),
        ("", ("read",), Device.TABLET, "usual"),
    ],
)
def test_the_first_rule_that_holds_gives_the_layout(
    section: str | None, tags: tuple[str, ...], device: Device, layout: str
) -> None:
    assert SITE.layout_for(section, tags, device) == layout


def test_a_site_that_is_not_there_is_the_default_one() -> None:
    settings = Settings(version=1, default_site="a", sites={"a": Site(name="A"), "b": Site(name="B")})
    assert [settings.site(name).name for name in (None, "b", "c")] == ["A", "B", "A"]


def test_networks_are_those_of_both_protocols(directory: Path) -> None:
    (directory / "adlayout.yaml").write_text(f'{LEAST}traffic: {{data_centres: [192.0.2.0/24, "2001:db8::/32"]}}\n')
    assert load_settings(directory, {}).traffic.data_centres == ("192.0.2.0/24", "2001:db8::/32")
