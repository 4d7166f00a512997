"""Everything that can go wrong, in one tree; each message says what, where and what to do.

    AdlayoutError
    ├── InputError           the caller's request cannot be answered             -> 4xx, problem+json
    │   ├── NotAnArticle     the body holds no readable article                  -> 400
    │   ├── TooLarge         the body passes the limit                           -> 413
    │   ├── UnsupportedBody  charset or content encoding that is not taken       -> 415
    │   ├── NotAllowed       a token is configured and missing                   -> 401
    │   ├── BadPlan          a person asked for a plan that cannot be made       -> 404, 422
    │   ├── BadQuery         a parameter does not hold                    (web)  -> 422
    │   ├── NotJson          the body is no JSON                          (web)  -> 400
    │   ├── BadDecide        no slots that can be decided                 (web)  -> 422
    │   ├── BadInventory     rows do not hold                      (publishing)  -> 422
    │   ├── StillNamed       what is to go is named by flights     (publishing)  -> 409
    │   └── Outdated         the inventory is of another revision  (publishing)  -> 412
    ├── ConfigError          what ops wrote is wrong: all faults at once         -> refuse to start
    ├── TemplateFailure      a page's template fails                (rendering)  -> a plain page, degraded
    └── StoreError           Redis did not do what was asked                     -> degraded, 503 to ops
        ├── StoreTimeout     ... in time                                         -> the same
        └── Changed          ... because others wrote since the caller looked    -> look again

A failure that only one room raises stands in that room.
Ordinary outcomes (no room for an ad, no creative, no experiment) are values, not errors.
"""

from __future__ import annotations

from dataclasses import dataclass


class AdlayoutError(Exception):
    """The root of every failure that adlayout raises itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, at one place; `at` is a dotted path or `file:line:column`."""

    at: str
    message: str

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class InputError(AdlayoutError):
    """A request that cannot be answered; carries the HTTP status and every fault found."""

    status = 400
    title = "Bad request"

    def __init__(self, detail: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = faults


class NotAnArticle(InputError):
    """The body is no JSON object, or holds no `article.html`."""

    title = "No article in the request"


class TooLarge(InputError):
    """The body is larger than the configured limit."""

    status = 413
    title = "Body too large"


class UnsupportedBody(InputError):
    """The body's charset, media type or content encoding is not taken."""

    status = 415
    title = "Unsupported body"


class NotAllowed(InputError):
    """The route asks for a token that the request does not carry."""

    status = 401
    title = "Not allowed"


class BadPlan(InputError):
    """A plan was asked for with fields, a site or a layout that do not hold (422, or 404 for a name)."""

    status = 422
    title = "No plan can be made of this"

    def __init__(self, detail: str, faults: tuple[Fault, ...] = (), *, status: int = 422) -> None:
        super().__init__(detail, faults)
        self.status = status


class ConfigError(AdlayoutError):
    """The configuration does not hold; carries every fault, each as `file:line:column: key: message`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class StoreError(AdlayoutError):
    """The store refused, broke off, or answered with something else than was asked."""


class StoreTimeout(StoreError):
    """The store did not answer in time."""


class Changed(StoreError):
    """The inventory is of another revision than the one that was to be changed."""
