"""Articles as newsrooms write them, all of one stock of paragraphs; pictures and frames are their own, no network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

_PARAGRAPHS = (Path(__file__).parent / "heights" / "prose.txt").read_text("utf-8").splitlines()
_LINES = [line for line in _PARAGRAPHS if len(line) < 120]
_CAPTIONS = (
    "The ferry at its berth on Tuesday evening, with the café lit and nobody in it.",
    "Photo: M. Solheim",
    "Eleven pillars, forty metres of mud: the bridge as the ministry drew it in 2011, seen from the sugar mill, "
    "with the ferry left in for scale.",
)
_HEADINGS = ("A vote by one", "What the bridge would cost, and who would have to pay for it", "The crew", "Ice")
_ROWS = (("Summer", "412", "96"), ("Autumn", "188", "71"), ("Winter", "61", "64"), ("Spring", "240", "88"))

SAMPLES: Mapping[str, str] = {
    "news": "h1 p p p h2 p p p p h2 p p p p",
    "news with a lead picture": "h1 measured p p p p h2 p p p p p p",
    "long read": "h1 p p measured p p p h2 p p p p quote p p p h2 p p p measured p p p p h2 p p p p p p p",
    "short": "p p p p",
    "a single line": "line",
    "many headings": "p h2 p p h3 p h2 p p h3 p p h2 p",
    "gallery": "p measured p tall p measured p wide p p",
    "pictures without measures": "p p unmeasured p p p unmeasured p p p p",
    "picture in a paragraph": "p p inline p p p inline p p",
    "lists": "p p ul p p ol p p ul p",
    "quotes": "p quote p p quote p p p quote p",
    "table": "h2 p p table p p p table p",
    "dialogue": "p line line line line line p line line line line p line line line p",
    "embed": "p p p iframe p p p p framed p p p",
    "video": "p p p video p p p p p",
    "one-line paragraphs": "line line line line line line line line line line line line",
    "bare text": "bare bare bare bare bare bare bare bare",
    "in a wrapper": "open p p h2 p p measured p p close",
}
"""By name, what each article is made of, in order."""


def article(parts: str) -> str:
    """The article that is made of these parts."""
    stock = _Stock()
    return "\n".join(stock.part(name) for name in parts.split())


class _Stock:
    """What an article still has to say: each part takes the next of its kind."""

    def __init__(self) -> None:
        self._texts = {
            "text": cycle(_PARAGRAPHS),
            "line": cycle(_LINES),
            "caption": cycle(_CAPTIONS),
            "heading": cycle(_HEADINGS),
        }

    def part(self, name: str) -> str:
        """The markup of one part."""
        return _FORMS[name].format_map(_Texts(self, _picture(*_SHAPES.get(name, (3, 2)))))

    def text(self, kind: str) -> str:
        """The next text of a kind."""
        return next(self._texts[kind])


class _Texts(dict[str, str]):
    """The texts that a form asks for, a new one each time."""

    def __init__(self, stock: _Stock, picture: str) -> None:
        super().__init__(picture=picture)
        self._stock = stock

    def __missing__(self, kind: str) -> str:
        return self._stock.text(kind)


def _picture(width: int, height: int) -> str:
    size = f"width='{width * 100}' height='{height * 100}'"
    drawn = f"<svg xmlns='http://www.w3.org/2000/svg' {size}><rect {size} fill='#8899aa'/></svg>"
    return f"data:image/svg+xml,{quote(drawn)}"


_SHAPES = {"measured": (16, 9), "tall": (4, 5), "wide": (21, 9)}
_FIGURE = '<figure><img src="{{picture}}" alt="" width="{}" height="{}"><figcaption>{{caption}}</figcaption></figure>'
_ITEMS = "<li>{line}</li><li>{line}</li><li>{text}</li><li>{line}</li>"
_TABLE = "<tr><th>Season<th>Passengers a day<th>Crossings</tr>" + "".join(
    f"<tr><td>{season}<td>{count}<td>{crossings}</tr>" for season, count, crossings in _ROWS
)
_FORMS = {
    "h1": "<h1>Varenholm keeps its ferry, and puts off the bridge again</h1>",
    "h2": "<h2>{heading}</h2>",
    "h3": "<h3>{heading}</h3>",
    "p": "<p>{text}</p>",
    "line": "<p>{line}</p>",
    "bare": "{text}<br><br>",
    "quote": "<blockquote><p>{text}</p></blockquote>",
    "ul": f"<ul>{_ITEMS}</ul>",
    "ol": f"<ol>{_ITEMS}</ol>",
    "table": f"<table>{_TABLE}</table>",
    "measured": _FIGURE.format(1600, 900),
    "tall": _FIGURE.format(800, 1000),
    "wide": _FIGURE.format(2100, 900),
    "unmeasured": '<figure><img src="{picture}" alt=""><figcaption>{caption}</figcaption></figure>',
    "inline": '<p><img src="{picture}" alt="" width="1200" height="800"></p>',
    "iframe": '<iframe srcdoc="A map." width="600" height="250"></iframe>',
    "framed": '<figure><iframe srcdoc="A chart." height="260"></iframe><figcaption>{caption}</figcaption></figure>',
    "video": '<figure><video width="640" height="360" controls></video><figcaption>{caption}</figcaption></figure>',
    "open": '<div class="story">',
    "close": "</div>",
}
