"""Writes a folder of articles to try layouts on: news of every shape, and a share of them with their markup damaged.

    python benchmarks/corpus.py FOLDER [--articles 1000] [--damaged 20] [--seed 1]

The same seed writes the same folder.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

WORDS = (
    "harbour council bridge morning engineers ferry quay tide report budget members station railway river market "
    "teacher winter library evening the a of and to in for on with from after before under over said was were will "
    "have not new old long quiet public local first second last open closed fourteen million people street years"
).split()
SHAPES = ("news", "news", "news", "long", "short", "dialogue", "listicle", "gallery", "blocks", "wrapped", "bare")


def words(pick: random.Random, least: int, most: int) -> str:
    """A sentence or several, of so many words."""
    said = [pick.choice(WORDS) for _ in range(pick.randint(least, most))]
    marks = [f"{word}." if at % 14 == 13 else word for at, word in enumerate(said)]
    return " ".join(marks).capitalize() + "."


def paragraph(pick: random.Random) -> str:
    text = words(pick, 20, 75)
    return (
        f'<p>{text} <a href="/{pick.randint(1, 99)}">{words(pick, 2, 4)}</a></p>'
        if pick.random() < 0.2
        else f"<p>{text}</p>"
    )


def figure(pick: random.Random) -> str:
    measures = 'width="1200" height="800"' if pick.random() < 0.7 else ""
    return f'<figure><img src="/i.jpg" alt="" {measures}><figcaption>{words(pick, 5, 15)}</figcaption></figure>'


def extra(pick: random.Random) -> str:
    """What stands between paragraphs now and then."""
    return pick.choice(
        (
            lambda: f"<h2>{words(pick, 3, 7)}</h2>",
            lambda: f"<h2>{words(pick, 3, 7)}</h2>",
            lambda: figure(pick),
            lambda: f"<blockquote><p>{words(pick, 10, 30)}</p></blockquote>",
            lambda: "<ul>" + "".join(f"<li>{words(pick, 4, 12)}</li>" for _ in range(4)) + "</ul>",
            lambda: '<iframe src="about:blank" width="560" height="315"></iframe>',
            lambda: "<p>&nbsp;</p>",
            lambda: f"<p><strong>{words(pick, 2, 5)}</strong></p>",
            lambda: '<div class="ad">Advertisement</div>' if pick.random() < 0.3 else "<hr>",
        )
    )()


def flow(pick: random.Random, paragraphs: int) -> list[str]:
    """Paragraphs with something else between every few of them."""
    parts: list[str] = []
    for _ in range(paragraphs):
        parts.append(paragraph(pick))
        if pick.random() < 0.28:
            parts.append(extra(pick))
    return parts


def article(pick: random.Random) -> str:
    """One article of any shape."""
    shape = pick.choice(SHAPES)
    if shape == "short":
        return "\n".join(flow(pick, pick.randint(1, 4)))
    if shape == "long":
        return "\n".join(flow(pick, pick.randint(30, 80)))
    if shape == "dialogue":
        return "\n".join(f"<p>“{words(pick, 2, 9)}”</p>" for _ in range(pick.randint(20, 90)))
    if shape == "listicle":
        return "\n".join(
            f"<h2>{at}. {words(pick, 2, 5)}</h2>\n{figure(pick)}\n{paragraph(pick)}" for at in range(1, 11)
        )
    if shape == "gallery":
        return "\n".join([paragraph(pick), *(figure(pick) for _ in range(12)), paragraph(pick)])
    if shape == "bare":
        return "<br><br>\n".join(words(pick, 20, 60) for _ in range(pick.randint(5, 15)))
    parts = flow(pick, pick.randint(6, 22))
    if shape == "blocks":
        return "\n\n".join(f"<!-- wp:block -->\n{part}\n<!-- /wp:block -->" for part in parts)
    if shape == "wrapped":
        inner = "\n".join(parts)
        return f'<div class="builder"><div class="row"><div class="column">{inner}</div></div></div>'
    return f"<h1>{words(pick, 5, 12)}</h1>\n" + "\n".join(parts)


def damaged(pick: random.Random, html: str) -> str:
    """The article with a few cuts, swaps and stray bytes in it, mostly at its tags."""
    for _ in range(pick.randint(1, 4)):
        at = pick.randrange(len(html))
        tag = html.find("<", at)
        at = tag if tag >= 0 and pick.random() < 0.8 else at
        kind = pick.randrange(4)
        if kind == 0:
            html = html[:at] + html[at + pick.randint(1, 12) :]
        elif kind == 1:
            html = (
                html[:at]
                + pick.choice(("</p>", "<b>", "</div>", "<table>", "<a href=x>", "<!--", "</", "\0"))
                + html[at:]
            )
        elif kind == 2:
            end = html.find(">", at) + 1
            html = html[:at] + html[end:] + html[at:end]
        else:
            html = html.replace("</p>", pick.choice(("", "</div>", "<p>")), 1)
    return html


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a folder of generated articles.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--articles", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--damaged", type=int, default=20, help="how many in a hundred (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    pick = random.Random(args.seed)  # noqa: S311 (articles, not secrets)
    args.folder.mkdir(parents=True, exist_ok=True)
    for number in range(args.articles):
        html = article(pick)
        if pick.randrange(100) < args.damaged:
            html = damaged(pick, html)
        (args.folder / f"{number:05}.html").write_bytes(html.encode("utf-8", "surrogatepass"))
    sys.stdout.write(f"{args.articles} articles in {args.folder}\n")


if __name__ == "__main__":
    main()
