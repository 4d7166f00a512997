"""Page templates: what they may say, the holes they leave, and every way in which they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from adlayout.errors import ConfigError, Fault
from adlayout.rendering.page import Frame, Hole, PageContext, TemplateFailure, Templates, plain_frame

SHIPPED = Path(__file__).parent.parent / "config" / "templates"
ARTICLE = Hole("article", "")


@pytest.fixture(autouse=True)
def _from_the_directory_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults name files as they were named, so that an editor opens them."""
    monkeypatch.chdir(tmp_path)


def templates(tmp_path: Path, *, article: str) -> Templates:
    """The templates of a folder `templates` that holds one page template, `article`."""
    folder = Path("templates")
    folder.mkdir()
    (folder / "article.html.j2").write_text(article, encoding="utf-8")
    return Templates.load(folder)


def failure(loaded: Templates, name: str = "article", context: PageContext | None = None) -> Fault:
    """The fault that rendering ends in."""
    with pytest.raises(TemplateFailure) as caught:
        loaded.frame(name, context or PageContext("Site"))
    return caught.value.fault


SCRIPT = Hole("script")
CHANGED = "what {{ article }}, {{ script }} and {{ slot(…) }} return must not be changed"


def text_of(frame: Frame) -> str:
    """The frame with `[article]` and `[slot NAME]` where its holes are."""
    shown = (part if isinstance(part, str) else f"[{part.kind} {part.name}]" for part in frame.parts)
    return "".join(shown).replace("[script ]", "")


def test_a_page_is_cut_at_the_article_and_the_page_slots(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article='<i>{{ slot("top") }}</i>{{ article }}{{ slot("end") }}')
    frame = loaded.frame("article", PageContext("Site", page_slots=("end", "top")))
    assert frame == Frame(("<i>", Hole("slot", "top"), "</i>", ARTICLE, Hole("slot", "end"), SCRIPT))


def test_a_slot_that_the_layout_lacks_leaves_nothing(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article='<p>{{ slot("top") }}</p>{{ article }}')
    assert loaded.frame("article", PageContext("Site")) == Frame(("<p></p>", ARTICLE, SCRIPT))


def test_every_text_of_the_page_is_escaped(tmp_path: Path) -> None:
    names = ("site", "tagline", "language", "headline", "byline", "charset")
    source = "|".join(f"{{{{ {name} }}}}" for name in names)
    loaded = templates(tmp_path, article=f"{source}{{{{ article }}}}")
    hostile = "</title><script>alert('1')</script>&\""
    context = PageContext(hostile, hostile, hostile, hostile, hostile, charset=hostile)
    escaped = "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&#34;"
    assert loaded.frame("article", context) == Frame(("|".join([escaped] * 6), ARTICLE, SCRIPT))


def test_no_filter_of_capitals_reaches_a_hole(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article="{{ slot('top')|upper }}{{ article }}")
    frame = loaded.frame("article", PageContext("Site", page_slots=("top",)))
    assert frame == Frame((Hole("slot", "top"), ARTICLE, SCRIPT))


def test_no_text_of_the_request_is_taken_for_template_or_hole(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article="{{ headline }}:{{ article }}")
    hostile = "{{ article }}{% raw %}0;a;"
    seen = {loaded.frame("article", PageContext("Site", headline=hostile)) for _ in range(3)}
    assert seen == {Frame((hostile + ":", ARTICLE, SCRIPT))}


def test_the_mark_of_one_page_means_nothing_in_the_next(tmp_path: Path) -> None:
    # A template that prints its mark backwards is the worst case: turned round again, it must open no later page.
    loaded = templates(tmp_path, article="{{ headline }}:{{ article }}{{ article|reverse }}")
    leaked = str(loaded.frame("article", PageContext("Site")).parts[-2])[::-1]
    forged = loaded.frame("article", PageContext("Site", headline=leaked))
    assert (len(leaked), forged.parts[:2]) == (41, (f"{leaked}:", ARTICLE))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/path", "https://user@x.example/", "nonsense"])
def test_an_address_that_is_not_web_is_left_out(url: str, tmp_path: Path) -> None:
    loaded = templates(tmp_path, article="[{{ url }}]{{ article }}")
    assert loaded.frame("article", PageContext("Site", url=url)) == Frame(("[]", ARTICLE, SCRIPT))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "<p>\n\n{{ headlin }}{{ article }}",
            Fault("templates/article.html.j2:3:1", "UndefinedError: 'headlin' is undefined"),
            id="an unknown name, with its line",
        ),
        pytest.param(
            "{{ article }}\n{{ 1 // 0 }}",
            Fault("templates/article.html.j2:2:1", "ZeroDivisionError: integer division or modulo by zero"),
            id="a sum that does not work out",
        ),
        pytest.param(
            "{{ article }}{{ ''.__class__ }}",
            Fault(
                "templates/article.html.j2:1:1",
                "SecurityError: access to attribute '__class__' of 'str' object is unsafe.",
            ),
            id="reaching out of the sandbox",
        ),
        pytest.param(
            "{{ article }}{% include 'nav.html.j2' %}",
            Fault("templates/article.html.j2:1:1", "TemplateNotFound: nav.html.j2"),
            id="including what is not there",
        ),
        pytest.param(
            "<p>",
            Fault("templates/article.html.j2:1:1", "{{ article }} must be written once, found 0 times"),
            id="no article",
        ),
        pytest.param(
            "{{ article }}\n{{ article }}\n",
            Fault("templates/article.html.j2:2:1", "{{ article }} must be written once, found 2 times"),
            id="the article twice",
        ),
        pytest.param(
            "<p>\n{{ article|upper }}",
            Fault(
                "templates/article.html.j2:2:1",
                CHANGED,
            ),
            id="a changed article",
        ),
        pytest.param(
            "{% if false %}\n{{ article }}{% endif %}",
            Fault("templates/article.html.j2:2:1", "{{ article }} must be written once, found 0 times"),
            id="an article that is not reached",
        ),
        pytest.param(
            "{{ article|replace('a;', '') }}",
            Fault(
                "templates/article.html.j2:1:1",
                CHANGED,
            ),
            id="a cut article",
        ),
        pytest.param(
            "{{ article }}{{ slot('top') }}\n{{ slot('top') }}",
            Fault("templates/article.html.j2:2:1", '{{ slot("top") }} must be written once, found 2 times'),
            id="one slot twice",
        ),
    ],
)
def test_a_template_that_fails_says_where_and_why(source: str, expected: Fault, tmp_path: Path) -> None:
    loaded = templates(tmp_path, article=source)
    assert failure(loaded, context=PageContext("Site", page_slots=("top",))) == expected


def test_a_fault_in_a_macro_file_names_that_file(tmp_path: Path) -> None:
    folder = Path("templates")
    folder.mkdir()
    (folder / "parts.html.j2").write_text("{% macro nav(x) %}\n{{ x.missing.more }}{% endmacro %}")
    (folder / "article.html.j2").write_text("{% from 'parts.html.j2' import nav %}{{ nav('') }}{{ article }}")
    assert failure(Templates.load(folder)).at == "templates/parts.html.j2:2:1"


def test_a_template_that_does_not_exist_is_a_failure(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article="{{ article }}")
    assert failure(loaded, "news") == Fault("templates/news.html.j2", "there is no such template")


def test_all_broken_templates_are_told_at_once(tmp_path: Path) -> None:
    folder = Path("templates")
    (folder / "native").mkdir(parents=True)
    (folder / "a.html.j2").write_text("ok\n{% if %}")
    (folder / "b.html.j2").write_bytes(b"line\nline \xff")
    (folder / "c.html.j2").mkdir()
    (folder / "native" / "d.html.j2").write_text("{{ x|nofilter }}")
    with pytest.raises(ConfigError) as caught:
        Templates.load(folder)
    assert sorted(caught.value.faults, key=lambda fault: fault.at) == [
        Fault("templates/a.html.j2:2:1", "Expected an expression, got 'end of statement block'"),
        Fault("templates/b.html.j2:2:1", "the file is not UTF-8"),
        Fault("templates/c.html.j2:1:1", "cannot be read: Is a directory"),
        Fault("templates/native/d.html.j2:1:1", "No filter named 'nofilter'."),
    ]


def test_a_missing_folder_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        Templates.load(tmp_path / "none")


def test_loaded_templates_do_not_follow_the_files(tmp_path: Path) -> None:
    loaded = templates(tmp_path, article="old{{ article }}")
    (tmp_path / "templates" / "article.html.j2").write_text("{% broken")
    assert loaded.frame("article", PageContext("Site")) == Frame(("old", ARTICLE, SCRIPT))


def test_pages_are_the_templates_that_are_not_native() -> None:
    assert Templates.load(SHIPPED).pages == {"article"}


def test_the_plain_page_escapes_and_holds_the_article() -> None:
    frame = plain_frame(PageContext("Site", headline="<b>", charset="windows-1251"))
    assert text_of(frame) == (
        '<!doctype html>\n<meta charset="windows-1251">\n<title>&lt;b&gt;</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<main><article>\n[article ]\n</article></main>\n"
    )


# The shipped page: what it says is agreed with those who read it, so its body is held to the byte.


def shipped_body(context: PageContext) -> str:
    """The `<body>` of the shipped template, with its holes named."""
    return text_of(Templates.load(SHIPPED).frame("article", context)).partition("<body>\n")[2]


def test_the_shipped_page_says_the_site_the_tagline_and_nothing_else() -> None:
    assert shipped_body(PageContext("The Courier", "News & more")) == (
        "<header><p>The Courier | News &amp; more</p></header>\n\n<main>\n"
        "<article>\n[article ]\n</article>\n</main>\n</body>\n</html>"
    )


def test_the_shipped_page_shows_headline_byline_and_leaderboard_where_there_are_any() -> None:
    context = PageContext("The Courier", headline="<Head>", byline="By A & B", page_slots=("leaderboard",))
    assert shipped_body(context) == (
        "<header><p>The Courier</p></header>\n[slot leaderboard]\n<main>\n"
        '<h1>&lt;Head&gt;</h1>\n<p class="adl-byline">By A &amp; B</p>\n'
        "<article>\n[article ]\n</article>\n</main>\n</body>\n</html>"
    )


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (PageContext("Site"), "<html>"),
        (PageContext("Site", language="en-GB"), '<html lang="en-GB">'),
        (PageContext("Site", language="ar-EG"), '<html lang="ar-EG" dir="rtl">'),
        (PageContext("Site"), "<title>Site</title>"),
        (PageContext("Site", headline="Head"), "<title>Head</title>"),
        (PageContext("Site", url="https://x.example/?a&b"), '<link rel="canonical" href="https://x.example/?a&amp;b">'),
        (PageContext("Site", charset="windows-1252"), '<meta charset="windows-1252">'),
    ],
)
def test_the_shipped_page_head_tells_what_is_known(context: PageContext, expected: str) -> None:
    page = text_of(Templates.load(SHIPPED).frame("article", context))
    assert (page.startswith("<!doctype html>\n"), expected in page, "<script" in page) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("<body>{{ article }}</body>", ("<body>", Hole("article"), Hole("script"), "</body>")),
        ("{{ article }}</BODY><!-- </body> -->", (Hole("article"), "</BODY><!-- ", Hole("script"), "</body> -->")),
        ("{{ article }}", (Hole("article"), Hole("script"))),
        ("{{ script }}<p>{{ article }}</p>", (Hole("script"), "<p>", Hole("article"), "</p>")),
    ],
)
def test_the_page_script_stands_where_the_template_has_it_else_at_the_end(
    tmp_path: Path, text: str, expect: tuple[str | Hole, ...]
) -> None:
    assert templates(tmp_path, article=text).frame("article", PageContext("Site")).parts == expect


def test_the_page_script_is_written_once(tmp_path: Path) -> None:
    with pytest.raises(TemplateFailure, match=r"\{\{ script \}\} must be written once, found 2 times"):
        templates(tmp_path, article="{{ script }}{{ article }}{{ script }}").frame("article", PageContext("Site"))
