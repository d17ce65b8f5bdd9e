"""The templates of `format`: text with places `{…}` for values (language page, §8).

Read by the checker, which compares each place with its value, and by the code generator. Which values a form is for is
the checker's. Invariant: the places of a template without complaints stand in order and do not overlap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WIDTH_MAX = 1000
DIGITS_MAX = 500

_SPEC = re.compile(rb"(?P<align>[<>]?)(?P<zeros>0?)(?P<width>[0-9]*)(?:\.(?P<digits>[0-9]+))?(?P<hex>x?)")


@dataclass(frozen=True, slots=True)
class Place:
    """`{…}`, bytes `start` to `end` - 1 of the template. `way` is how a value narrower than `width` is put: "<" to the
    left, ">" to the right, "0" to the right behind zeros, "" as its type is; `digits` behind the point, None as they
    come."""

    start: int
    end: int
    way: str = ""
    width: int = 0
    digits: int | None = None
    is_hex: bool = False


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with bytes `start` to `end` - 1 of the template."""

    start: int
    end: int
    why: str
    help: str = ""


@dataclass(slots=True)
class Template:
    """`parts` are the text between the places, as it is written out, and the places, in order."""

    parts: list[bytes | Place] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        return [part for part in self.parts if isinstance(part, Place)]


def parse(text: bytes) -> Template:
    template = Template()
    pending = b""
    at = 0
    while at < len(text):
        stop = min((found for found in (text.find(b"{", at), text.find(b"}", at)) if found >= 0), default=len(text))
        pending += text[at:stop]
        at = stop
        if stop == len(text):
            break
        if text[stop : stop + 2] in (b"{{", b"}}"):
            pending += text[stop : stop + 1]
            at += 2
        elif text[stop : stop + 1] == b"}":
            template.complaints.append(Complaint(stop, stop + 1, "nothing begins before this `}`", "write } as }}"))
            at += 1
        else:
            end = text.find(b"}", stop) + 1
            if end == 0:
                complaint = Complaint(stop, stop + 1, "this `{` has no `}`", "write { as {{")
                template.complaints.append(complaint)
                break
            if pending:
                template.parts.append(pending)
            pending = b""
            template.parts.append(_place(text, stop, end, template.complaints))
            at = end
    if pending:
        template.parts.append(pending)
    return template


def _place(text: bytes, start: int, end: int, complaints: list[Complaint]) -> Place:
    inside = text[start + 1 : end - 1]
    shown = inside.decode("utf-8", "replace")
    if not inside:
        return Place(start, end)
    if not inside.startswith(b":"):
        why = f"`{shown}` stands where only a form may stand"
        complaints.append(Complaint(start + 1, end - 1, why, "values come in order: {} or {:form}; write { as {{"))
        return Place(start, end)
    found = _SPEC.fullmatch(inside[1:])
    if found is None or inside == b":":
        complaint = Complaint(start + 1, end - 1, f"there is no form `{shown}`", "forms are :N :<N :>N :0N :.N and :x")
        complaints.append(complaint)
        return Place(start, end)
    why = _nonsense(found)
    if why:
        complaints.append(Complaint(start + 1, end - 1, why))
        return Place(start, end)
    digits = None if found["digits"] is None else int(found["digits"])
    way = (found["zeros"] or found["align"]).decode()
    return Place(start, end, way, int(found["width"] or b"0"), digits, bool(found["hex"]))


def _nonsense(spec: re.Match[bytes]) -> str:
    """Why the parts of a form do not go together; nothing when they do."""
    if spec["align"] and spec["zeros"]:
        return f"`{spec['align'].decode()}` and zeros in front exclude each other"
    if (spec["align"] or spec["zeros"]) and not spec["width"]:
        return f"behind `{(spec['align'] or spec['zeros']).decode()}` comes a width"
    if len(spec["width"]) > 4 or int(spec["width"] or b"0") > WIDTH_MAX:
        return f"a width is {WIDTH_MAX} at most"
    if spec["digits"] is not None and (len(spec["digits"]) > 4 or int(spec["digits"]) > DIGITS_MAX):
        return f"there are {DIGITS_MAX} digits behind the point at most"
    if spec["digits"] is not None and spec["hex"]:
        return "`x` is for integers, which have no digits behind the point"
    return ""
