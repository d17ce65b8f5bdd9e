"""Text to tokens, and literals to values.

One regular expression reads the whole file. Which words are terminals of the grammar is told by the parser, which has
them from `grammar.lark`; order and sense of tokens are the parser's too.
Invariants: the text is the file's bytes read as Latin-1, so that an offset is a byte offset; tokens come in order and
do not overlap; whatever the bytes are, lexing takes linear time and ends with an `END` token.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction

from ms import errors
from ms.diagnostics import Diagnostics
from ms.source import SourceFile, Span

END = "$END"  # lark's name for the end of the text

# Language page, §11; most of them are terminals of the grammar, the others are kept for later.
_KEYWORDS = """
    as at auto bool break case char const continue default double each else emit extern failed false finished float
    for if import in int job long map master near pure reduce remote return running share stream string struct switch
    true vector void while within yield
"""
KEYWORDS = frozenset(_KEYWORDS.split())

_PATTERN = re.compile(
    r"""[ \t\r\n\f\v]*+
    (?: ([A-Za-z_][A-Za-z0-9_]*+) (?![\x80-\xff])                                            # 1 a word
      | (//[^\n]*+ | /\*(?s:.*?)\*/)                                                        # 2 a comment
      | (0[xXbB][0-9A-Za-z_]*+ | [0-9](?:[eE][+-](?=[0-9])|[0-9A-Za-z_])*+
            (?:\.[0-9](?:[eE][+-](?=[0-9])|[0-9A-Za-z_])*+)?+)                              # 3 a number
      | ("(?:[^"\\\n]|\\[^\n])*+" | '(?:[^'\\\n]|\\[^\n])*+')                              # 4 a string, a character
      | (>>>= | <<= | >>= | >>> | [-+*/%&|^=!<>]= | && | \|\| | \+\+ | -- | -> | :: | \.\. | << | >>
            | [-+*/%&|^=!<>~?:;,.(){}\[\]])                                                 # 5 an operator
      | (["'][^\n]*?(?=[\]);,}\ \t\r]{0,9}(?:\n|\Z)|[\]);,}\ \t]{1,9}//))                    # 6 quoted text without end
      | ([A-Za-z0-9_\x80-\xff]++ | \#[^\n]*+ | \0++ | [^\ \t\r\n\f\v])                    # 7 what nothing begins with
      | \Z )""",
    re.VERBOSE,
)

_INTEGER = re.compile(r"[0-9]+(?:_[0-9]+)*(L?)")
_BITS = re.compile(r"0[xX]([0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*)(L?)|0[bB]([01]+(?:_[01]+)*)(L?)")
_FLOATING = re.compile(r"[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]+)?(f?)")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"\\": b"\\", b"'": b"'", b'"': b'"',
}  # fmt: skip

_CURLY_QUOTES = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
_LARGEST_SINGLE = 0x7F7FFFFF
_SINGLES_END = 2**128 - 2**103  # half-way from the largest binary32 number to the one that would follow
_MINIMA = frozenset({f"{INT_MAX + 1}", f"{LONG_MAX + 1}", f"{LONG_MAX + 1}L"})


class Token:
    """A terminal of the grammar where it stands. `text` is Latin-1; a name with strange letters is as it is shown."""

    __slots__ = ("end", "start", "text", "type")

    def __init__(self, type: str, text: str, start: int, end: int) -> None:
        self.type = type
        self.text = text
        self.start = start
        self.end = end


def tokens(file: SourceFile, terminals: Mapping[str, str], diagnostics: Diagnostics) -> Iterator[Token]:
    """The tokens of `file`. `terminals` gives the terminal of each keyword and operator; a keyword that is none of the
    grammar's comes as `RESERVED`, which no rule accepts."""
    text = file.data.decode("latin-1")
    position = 3 if text.startswith("\xef\xbb\xbf") else 0
    rest = ""  # a comment without end
    get = terminals.get
    for match in _PATTERN.finditer(text, position):
        kind = match.lastindex
        if kind == 1:
            word = match[1]
            start, end = match.span(1)
            yield Token(get(word) or ("RESERVED" if word in KEYWORDS else "NAME"), word, start, end)
        elif kind == 5:
            start, end = match.span(5)
            word = match[5]
            if word[0] == "/" and text.startswith("/*", start):
                diagnostics.add(errors.unterminated(Span(file, start, start + 2), "comment"))
                rest = "/*"
                break
            yield Token(terminals[word], word, start, end)
        elif kind == 3:
            yield Token(_number_terminal(match[3]), match[3], *match.span(3))
        elif kind == 4:
            yield Token("STRING" if match[4][0] == '"' else "CHAR", match[4], *match.span(4))
        elif kind == 6:
            yield _unterminated(file, match[6], match.start(6), diagnostics)
        elif kind == 7 and _report_strange(file, match[7], match.start(7), diagnostics):
            yield Token("NAME", match[7].encode("latin-1").decode("utf-8", "replace"), *match.span(7))
    yield Token(END, rest, len(text), len(text))


def _number_terminal(text: str) -> str:
    if text[0] in "29" and text.replace("_", "") in _MINIMA and _INTEGER.fullmatch(text):
        return "MINIMUM"
    if text[:2] in ("0x", "0X", "0b", "0B"):
        return "INTEGER"
    return "FLOATING" if "." in text or "e" in text or "E" in text else "INTEGER"


def _unterminated(file: SourceFile, text: str, start: int, diagnostics: Diagnostics) -> Token:
    """Quoted text without its second quote: it goes to the end of the line, without the punctuation there."""
    is_string = text[0] == '"'
    what = "string" if is_string else "character literal"
    diagnostics.add(errors.unterminated(Span(file, start, start + 1), what))
    return Token("STRING" if is_string else "CHAR", text[0], start, start + len(text))


def _report_strange(file: SourceFile, text: str, start: int, diagnostics: Diagnostics) -> bool:
    """Reports what no token begins with; whether it may stand for a name."""
    span = Span(file, start, start + len(text))
    if text[0] == "\0":
        diagnostics.add(errors.bad_text(span, "a zero byte: is this file text?"))
        return False
    if text[0] == "#":
        diagnostics.add(errors.bad_text(span, "`#` has no meaning here", 'another file is read by import "name.ms";'))
        return False
    if text.isascii():
        shown = text if text.isprintable() else f"\\x{ord(text):02x}"
        diagnostics.add(errors.bad_text(span, f"`{shown}` has no meaning here"))
        return False
    try:
        word = text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return True  # that the file is not UTF-8 has been reported
    at = next(index for index, character in enumerate(word) if not character.isascii())
    strange = word[at]
    start += len(word[:at].encode())
    span = Span(file, start, start + len(strange.encode()))
    if not strange.isprintable() or strange.isspace():
        what = f"the invisible character U+{ord(strange):04X} has no meaning here"
        diagnostics.add(errors.bad_text(span, what))
        return word.strip(strange) != ""
    helps = ('a string stands between " and "',) if strange in _CURLY_QUOTES else ()
    if strange.isalnum():
        helps = ("names are made of A to Z, a to z, 0 to 9 and _",)
    diagnostics.add(errors.bad_text(span, f"`{strange}` has no meaning here", *helps))
    return True


def integer_value(text: str, span: Span, diagnostics: Diagnostics) -> tuple[int, bool]:
    """The value of an integer literal and whether it is a long; 0 when it is wrong, which is reported."""
    if match := _INTEGER.fullmatch(text):
        digits = text.rstrip("L").replace("_", "")
        if digits[0] == "0" and len(digits) > 1:
            diagnostics.add(
                errors.malformed_number(span, _cut(text), "there are no octal numbers: write it without the 0")
            )
            return 0, False
        value = int(digits) if len(digits) < 20 else LONG_MAX + 1
        return _in_range(value, bool(match[1]), span, diagnostics)
    if match := _BITS.fullmatch(text):
        digits, base = (match[1], 16) if match[1] else (match[3], 2)
        bits = int(digits.replace("_", ""), base)
        if bits >= 1 << 64:
            diagnostics.add(errors.integer_too_large(span))
            return 0, True
        is_long = bool(match[2] or match[4]) or bits >= 1 << 32
        width = 64 if is_long else 32
        return bits - (1 << width) if bits >> (width - 1) else bits, is_long
    diagnostics.add(errors.malformed_number(span, _cut(text)))
    return 0, False


def _cut(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:29]}…"


def _in_range(value: int, is_long: bool, span: Span, diagnostics: Diagnostics) -> tuple[int, bool]:
    if value > LONG_MAX:
        diagnostics.add(errors.integer_too_large(span))
        return 0, True
    return value, is_long or value > INT_MAX


def floating_value(text: str, span: Span, diagnostics: Diagnostics) -> tuple[float, float, bool]:
    """The value of a floating literal, the same as a binary32 number, and whether it is a float."""
    match = _FLOATING.fullmatch(text)
    if match is None:
        diagnostics.add(errors.malformed_number(span, _cut(text)))
        return 0.0, 0.0, False
    digits = text.rstrip("f").replace("_", "")
    value = float(digits)
    if value == float("inf"):
        diagnostics.add(errors.malformed_number(span, _cut(text), "the largest double is about 1.8e308"))
    return value, _single(digits, value), bool(match[1])


def _single(digits: str, value: float) -> float:
    """The binary32 number nearest to what is written. Its double lies nearest to the same one, unless that double is
    half-way between two: then the digits decide."""
    try:
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
    except OverflowError:
        return _of_bits(_LARGEST_SINGLE) if Fraction(digits) < _SINGLES_END else float("inf")
    nearest = _of_bits(bits)
    other = _of_bits(bits + 1 if nearest < value else bits - 1) if bits else 0.0
    if nearest == value or value - nearest != other - value:
        return nearest
    written = Fraction(digits)
    if written == value:
        return nearest
    return max(nearest, other) if written > value else min(nearest, other)


def _of_bits(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def char_value(file: SourceFile, token: Token, diagnostics: Diagnostics) -> int:
    value = _unescaped(file, token, False, diagnostics)
    if value is not None and len(value) != 1:
        diagnostics.add(errors.bad_char_literal(Span(file, token.start, token.end)))
    return value[0] if value else 0


def text_value(file: SourceFile, token: Token, diagnostics: Diagnostics) -> bytes:
    return _unescaped(file, token, True, diagnostics) or b""


def _unescaped(file: SourceFile, token: Token, is_string: bool, diagnostics: Diagnostics) -> bytes | None:
    """What stands between the quotes, its escapes resolved; None when it has been reported."""
    quote = token.text[0]
    if len(token.text) < 2 or token.text[-1] != quote:
        return None
    raw = token.text[1:-1].encode("latin-1")
    if b"\\" not in raw:
        return raw
    wrong = False

    def resolve(match: re.Match[bytes]) -> bytes:
        nonlocal wrong
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2] and is_string:
            code = int(match[2], 16)
            if code < 0x110000 and not 0xD800 <= code < 0xE000:
                return chr(code).encode()
        simple = _SIMPLE_ESCAPES.get(match[3] or b"")
        if simple is None:
            wrong = True
            start = token.start + 1 + match.start()
            span = Span(file, start, start + len(match[0]))
            diagnostics.add(errors.bad_escape(span, match[0].decode("utf-8", "replace")))
            return b""
        return simple

    value = _ESCAPE.sub(resolve, raw)
    return None if wrong else value
