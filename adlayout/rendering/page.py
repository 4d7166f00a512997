"""Page and native templates: compiled once, rendered around holes; knows nothing of what fills them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from secrets import randbits
from typing import Literal

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from adlayout.errors import AdlayoutError, ConfigError, Fault
from adlayout.rendering.urls import is_web

SUFFIX = ".html.j2"
NATIVE = "native/"


class TemplateFailure(AdlayoutError):
    """A template could not be rendered; `fault` says where (`templates/article.html.j2:12:1`) and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class PageContext:
    """What a page template may say about the page; each text is escaped where it is written."""

    site: str
    tagline: str = ""
    language: str = ""
    headline: str = ""
    byline: str = ""
    url: str = ""
    charset: str = "utf-8"
    page_slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in the frame: the article's, the page script's, or the page slot's of that name."""

    kind: Literal["article", "script", "slot"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A page without its article and page slots: text and holes in document order, one article hole among them."""

    parts: tuple[str | Hole, ...]

    @property
    def slots(self) -> frozenset[str]:
        """The page slots that the page has a place for."""
        return frozenset(part.name for part in self.parts if isinstance(part, Hole) and part.kind == "slot")


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates of a folder, compiled; a later change of the files does not reach them.

    `compiled` is keyed by the name without its suffix: `article`, `native/card`; `broken` are those that are not in it
    although there is a file.
    """

    folder: str
    compiled: Mapping[str, Template]
    broken: frozenset[str] = frozenset()

    @classmethod
    def load(cls, directory: Path) -> Templates:
        """Reads and compiles every `*.html.j2` under the directory; raises ConfigError with all faults at once."""
        templates, faults = cls.attempt(directory)
        if faults:
            raise ConfigError(faults)
        return templates

    @classmethod
    def attempt(cls, directory: Path) -> tuple[Templates, tuple[Fault, ...]]:
        """The same without raising: the templates that hold, and what is wrong with the others."""
        sources, faults = _read(directory)
        environment = _environment(str(directory), sources)
        compiled: dict[str, Template] = {}
        for name in sources:
            try:
                compiled[name.removesuffix(SUFFIX)] = environment.get_template(name)
            except TemplateSyntaxError as exc:
                faults.append(Fault(f"{directory}/{exc.name or name}:{exc.lineno}:1", exc.message or str(exc)))
        found = {path.relative_to(directory).as_posix().removesuffix(SUFFIX) for path in directory.rglob(f"*{SUFFIX}")}
        return cls(str(directory), compiled, frozenset(found - compiled.keys())), tuple(faults)

    @property
    def pages(self) -> frozenset[str]:
        """The names that a layout's `template` may hold."""
        names = self.compiled.keys() | self.broken
        return frozenset(name for name in names if not name.startswith(NATIVE))

    def frame(self, name: str, context: PageContext) -> Frame:
        """The page template around its holes; raises TemplateFailure for whatever goes wrong in it."""
        # The mark is drawn anew for each page and never leaves it, so no headline can hold one; of digits,
        # since a template may write in capitals.
        mark = f"{randbits(128):039d}"
        numbers = {slot: number for number, slot in enumerate(context.page_slots)}

        def slot(wanted: str) -> Markup:
            return Markup(f"{mark}{numbers[wanted]};") if wanted in numbers else Markup()  # noqa: S704 (digits)

        holes = {"article": Markup(f"{mark}a;"), "script": Markup(f"{mark}s;"), "slot": slot}  # noqa: S704 (digits)
        text = self._render(name, _variables(context) | holes)
        return with_script(self._cut(name, text, mark, context.page_slots))

    def native(self, name: str, fields: Mapping[str, object]) -> str:
        """A native ad laid out by `native/NAME.html.j2`; raises TemplateFailure for whatever goes wrong in it."""
        return self._render(f"{NATIVE}{name}", fields).strip()

    def tree(self, name: str) -> nodes.Template:
        """The source of a template that holds, parsed."""
        environment = self.compiled[name].environment
        loader = environment.loader
        return environment.parse(loader.get_source(environment, f"{name}{SUFFIX}")[0] if loader else "")

    def _render(self, name: str, variables: Mapping[str, object]) -> str:
        template = self.compiled.get(name)
        if template is None:
            raise TemplateFailure(Fault(f"{self.folder}/{name}{SUFFIX}", "there is no such template"))
        try:
            return template.render(variables)
        # A template is a program of ops and may raise anything; whatever it is, the article comes back.
        except Exception as exc:
            raise TemplateFailure(Fault(self._where(name, exc), f"{type(exc).__name__}: {exc}")) from exc

    def _where(self, name: str, exc: Exception) -> str:
        ours = f"{self.folder}/"
        calls = [call for call in traceback.extract_tb(exc.__traceback__) if call.filename.startswith(ours)]
        return f"{calls[-1].filename}:{calls[-1].lineno}:1" if calls else f"{ours}{name}{SUFFIX}:1:1"

    def _cut(self, name: str, text: str, mark: str, page_slots: tuple[str, ...]) -> Frame:
        opening, *marked = text.split(mark)
        holes_by_key = {str(number): Hole("slot", slot) for number, slot in enumerate(page_slots)}
        holes_by_key |= {"a": Hole("article"), "s": Hole("script")}
        parts: list[str | Hole] = [opening]
        for stretch in marked:
            key, _, after = stretch.partition(";")
            hole = holes_by_key.get(key)
            if hole is None:
                message = "what {{ article }}, {{ script }} and {{ slot(…) }} return must not be changed"
                raise TemplateFailure(self._fault(name, message, ("article", "script", "slot")))
            parts += (hole, after)
        self._check_holes(name, [part for part in parts if isinstance(part, Hole)])
        return Frame(tuple(part for part in parts if part != ""))

    def _check_holes(self, name: str, holes: list[Hole]) -> None:
        found = sum(hole.kind == "article" for hole in holes)
        if found != 1:
            message = f"{{{{ article }}}} must be written once, found {found} times"
            raise TemplateFailure(self._fault(name, message, ("article",)))
        if twice := next((hole for hole in holes if holes.count(hole) > 1), None):
            said = f'slot("{twice.name}")' if twice.kind == "slot" else twice.kind
            message = f"{{{{ {said} }}}} must be written once, found {holes.count(twice)} times"
            raise TemplateFailure(self._fault(name, message, (twice.kind,)))

    def _fault(self, name: str, message: str, names: tuple[str, ...]) -> Fault:
        """A fault at the last line that mentions one of the names, else at the first."""
        said = (one.lineno for one in self.tree(name).find_all(nodes.Name) if one.name in names)
        return Fault(f"{self.folder}/{name}{SUFFIX}:{max(said, default=1)}:1", message)


def with_script(frame: Frame) -> Frame:
    """The frame with a place for the page script: where the template puts it, else at the end of its body."""
    if Hole("script") in frame.parts:
        return frame
    parts = list(frame.parts)
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, str) and (found := part.lower().rfind("</body")) >= 0:
            pieces = (part[:found], Hole("script"), part[found:])
            parts[at : at + 1] = [piece for piece in pieces if piece != ""]
            return Frame(tuple(parts))
    return Frame((*parts, Hole("script")))


def plain_frame(context: PageContext) -> Frame:
    """The page where the template fails: a title and the article; uses no template, so it cannot fail."""
    title = escape(context.headline or context.site)
    opening = f'<!doctype html>\n<meta charset="{escape(context.charset)}">\n<title>{title}</title>\n'
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">\n<main><article>\n'
    return Frame((opening + viewport, Hole("article"), "\n</article></main>\n", Hole("script")))


def _variables(context: PageContext) -> dict[str, object]:
    return {
        "site": context.site,
        "tagline": context.tagline,
        "language": context.language,
        "headline": context.headline,
        "byline": context.byline,
        "url": context.url if is_web(context.url) else "",
        "charset": context.charset,
    }


def _read(directory: Path) -> tuple[dict[str, str], list[Fault]]:
    if not directory.is_dir():
        return {}, [Fault(str(directory), "there is no such folder; templates are kept in it")]
    sources: dict[str, str] = {}
    faults: list[Fault] = []
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        name = path.relative_to(directory).as_posix()
        try:
            sources[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as exc:
            line = exc.object.count(b"\n", 0, exc.start) + 1
            faults.append(Fault(f"{directory}/{name}:{line}:1", "the file is not UTF-8"))
        except OSError as exc:
            faults.append(Fault(f"{directory}/{name}:1:1", f"cannot be read: {exc.strerror}"))
    return sources, faults


def _environment(folder: str, sources: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, None] | None:
        # The second value is the file's name in tracebacks, which is how a fault finds its line.
        return (sources[name], f"{folder}/{name}", None) if name in sources else None

    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
    )
