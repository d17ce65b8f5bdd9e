"""An abstract program as text: plainly, with as few parentheses as the language's precedences allow, or in a style,
with whatever else the grammar has for the same.

Gives the place of every statement, "FILE:LINE", by the identity of its node: `twin.py` says with them where a program
fails. Always holds: a statement's own expressions stand on its first line.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import assert_never

from generate.tree import (
    Append,
    Assign,
    Binary,
    Block,
    Break,
    Builtin,
    Call,
    Choice,
    Constant,
    Continue,
    Convert,
    Declare,
    Evaluate,
    Expression,
    Field,
    For,
    ForEach,
    ForPairs,
    ForRange,
    Function,
    If,
    Index,
    Literal,
    MapOf,
    Name,
    Program,
    Range,
    Return,
    Slice,
    Statement,
    Step,
    Struct,
    StructOf,
    Switch,
    Unary,
    Value,
    VectorOf,
    While,
)
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
)

_LEVELS = (
    ("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("|",), ("^",), ("&",), ("<<", ">>", ">>>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip
PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS, 1) for operator in operators}
_PREFIX, _POSTFIX = 11, 12


def type_text(type: Type) -> str:
    match type:
        case VectorType():
            return "string" if type == STRING else f"vector<{type_text(type.element)}>"
        case MapType():
            return f"map<{type_text(type.key)}, {type_text(type.value)}>"
        case JobType():
            return f"job<{type_text(type.result)}>"
        case StructType():
            return type.name if type.name.endswith("1") else f"struct {type.name}"
        case _:
            return str(type)


STATES = ("running", "finished", "failed")


# Literals


def _byte(value: int, mark: str) -> str:
    named = {10: "\\n", 9: "\\t", 13: "\\r", 92: "\\\\", ord(mark): "\\" + mark}
    if value in named:
        return named[value]
    return chr(value) if 32 <= value < 127 else f"\\x{value:02x}"


def _real(value: float, suffix: str) -> str:
    if value != value:
        text = "nan" if not suffix else "float(nan)"
    elif value in (float("inf"), float("-inf")):
        text = "infinity" if value > 0 else "-infinity"
        text = f"float({text})" if suffix else text
    else:
        digits = repr(value)
        text = digits + suffix if "e" in digits or "." in digits else f"{digits}.0{suffix}"
    return text


def literal_text(type: Type, value: Value) -> str:
    if type is BOOL:
        return "true" if value else "false"
    if type is CHAR:
        assert isinstance(value, int)
        return f"'{_byte(value, chr(39))}'"
    if type == STRING:
        assert isinstance(value, bytes)
        return '"' + "".join(_byte(each, '"') for each in value) + '"'
    if type is JOB_STATE:
        assert isinstance(value, int)
        return STATES[value]
    if type is INT or type is LONG:
        if value == -(1 << 63):
            return "0x8000000000000000"
        return f"{value}{'L' if type is LONG else ''}"
    if type is DOUBLE or type is FLOAT:
        assert isinstance(value, float)
        return _real(value, "f" if type is FLOAT else "")
    return "{}" if value == {} else "[]"


# Expressions


class Expressions:
    """Writes expressions; `style` decides between ways to write the same, None for the plain one."""

    def __init__(self, style: random.Random | None) -> None:
        self.style = style

    def odd(self, percent: float) -> bool:
        return self.style is not None and self.style.random() * 100 < percent

    def text_of(self, e: Expression) -> str:
        return self._text(e)[0]

    def _at_least(self, e: Expression, level: int) -> str:
        text, own = self._text(e)
        is_remote = isinstance(e, Call) and e.remote  # in brackets it is no tail job
        return text if own >= level and (is_remote or not self.odd(3)) else f"({text})"

    def _text(self, e: Expression) -> tuple[str, int]:
        """The text, and how tightly its outermost operator binds."""
        match e:
            case Literal():
                return self._literal(e)
            case Name():
                return e.name, _POSTFIX
            case Field():
                return f"{self._at_least(e.base, _POSTFIX)}->{e.name}", _POSTFIX
            case Index():
                return f"{self._at_least(e.base, _POSTFIX)}[{self.text_of(e.index)}]", _POSTFIX
            case Slice():
                low, high = self._at_least(e.low, 1), self._at_least(e.high, 1)
                return f"{self._at_least(e.base, _POSTFIX)}[{low}..{high}]", _POSTFIX
            case Unary():
                inner, level = self._text(e.operand)
                return e.operator + (inner if level >= _POSTFIX else f"({inner})"), _PREFIX
            case Binary():
                level = PRECEDENCE[e.operator]
                return f"{self._at_least(e.left, level)} {e.operator} {self._at_least(e.right, level + 1)}", level
            case Choice():
                condition, otherwise = self._at_least(e.condition, 1), self._at_least(e.otherwise, 0)
                return f"{condition} ? {self.text_of(e.then)} : {otherwise}", 0
            case Range():
                return f"{self._at_least(e.low, 1)}..{self._at_least(e.high, 1)}", -1
            case Convert():
                return self._converted(e)
            case VectorOf() | MapOf() | StructOf():
                return self._made_of(e)
            case Call():
                text = self._call(e.function, e.arguments, e.method, "", e.each)
                text += f" reduce {e.reduce}" if e.reduce else ""
                return (f"remote {text}", _PREFIX) if e.remote else (text, _POSTFIX)
            case Builtin():
                return self._call(e.name, e.arguments, e.method, e.less), _POSTFIX
            case _:
                assert_never(e)

    def _literal(self, e: Literal) -> tuple[str, int]:
        text = literal_text(e.type, e.value)
        if isinstance(e.value, int) and e.type in (INT, LONG) and e.value >= 0 and self.odd(15):
            assert self.style is not None
            suffix = "L" if e.type is LONG else ""
            text = self.style.choice((f"{e.value:_}", f"0x{e.value:X}", f"0b{e.value:b}", f"0x{e.value:_x}")) + suffix
        if isinstance(e.value, bytes) and e.type == STRING and self.odd(30):
            text = self._odd_string(e.value)
        is_number = text[0].isdigit() or text[0] == "-"
        return text, _PREFIX if is_number else _POSTFIX

    def _odd_string(self, value: bytes) -> str:
        """With characters as they are, or by their numbers."""
        try:
            characters = value.decode()
        except UnicodeDecodeError:
            return literal_text(STRING, value)
        raw = self.odd(50)
        odd = [each if raw else f"\\u{{{ord(each):x}}}" for each in characters]
        parts = [_byte(ord(each), '"') if ord(each) < 128 else other for each, other in zip(characters, odd)]
        return f'"{"".join(parts)}"'

    def _converted(self, e: Convert) -> tuple[str, int]:
        if e.implicit:
            return self._text(e.operand)
        if self.odd(10) and isinstance(e.operand, Name | Field | Index | Call | Builtin):
            return f"{self._at_least(e.operand, _POSTFIX)}.{e.type}()", _POSTFIX
        return f"{e.type}({self.text_of(e.operand)})", _POSTFIX

    def _made_of(self, e: VectorOf | MapOf | StructOf) -> tuple[str, int]:
        comma = ", " if self.odd(5) else ""
        match e:
            case VectorOf():
                parts = [self.text_of(each) for each in e.elements]
                return f"[{', '.join(parts)}{comma}]", _POSTFIX
            case MapOf():
                parts = [f"{self.text_of(key)}: {self.text_of(value)}" for key, value in zip(e.keys, e.values)]
                return f"{{{', '.join(parts)}{comma}}}", _PREFIX  # at the beginning of a statement it would be a block
            case StructOf():
                assert isinstance(e.type, StructType)
                parts = [f"{name}: {self.text_of(value)}" for name, value in e.fields]
                return f"{e.type.name}{{{', '.join(parts)}{comma if parts else ''}}}", _POSTFIX
            case _:
                assert_never(e)

    def _call(
        self, name: str, arguments: tuple[Expression, ...], method: bool, less: str, each: tuple[int, ...] = ()
    ) -> str:
        texts = [("each " if i in each else "") + self.text_of(part) for i, part in enumerate(arguments)]
        texts += [less] if less else []
        if method and arguments and 0 not in each:
            return f"{self._at_least(arguments[0], _POSTFIX)}.{name}({', '.join(texts[1:])})"
        return f"{name}({', '.join(texts)})"

    def simple_text(self, s: Declare | Assign | Step | Append) -> str:
        match s:
            case Declare():
                value = "" if s.value is None else f" = {self.text_of(s.value)}"
                return f"{'auto' if s.is_auto else type_text(s.type)} {s.name}{value}"
            case Assign():
                return f"{self.text_of(s.target)} {s.operator}= {self.text_of(s.value)}"
            case Step():
                return self.text_of(s.target) + s.operator
            case Append():
                return " :: ".join([self.text_of(s.target), *(self._at_least(each, 0) for each in s.values)])
            case _:
                assert_never(s)


# Statements and declarations

_Simple = Declare | Assign | Step | Append | Evaluate | Return | Break | Continue


class _Writer(Expressions):
    """The text of one file."""

    def __init__(self, name: str, style: random.Random | None, places: dict[int, str]) -> None:
        super().__init__(style)
        self.name = name
        self.lines: list[str] = []
        self.places = places

    @property
    def _place(self) -> str:
        return f"{self.name}:{len(self.lines) + 1}"

    def put(self, depth: int, text: str) -> None:
        indent = ("\t" if self.odd(5) else "    ") * depth
        if self.odd(2):
            text += '  // } \u00e9 ( "'
        elif self.odd(2):
            text = "/* ; { */ " + text
        self.lines.append(indent + text)

    def block(self, statements: Sequence[Statement], depth: int, is_closed: bool = True) -> None:
        """`is_closed`: a `}` follows, in front of which the last `;` may be left out."""
        waiting = list(statements)
        while waiting:
            s = waiting.pop(0)
            together = [s]
            while isinstance(s, Declare) and not s.is_auto and waiting and self.odd(25):
                follower = waiting[0]
                if not isinstance(follower, Declare) or follower.is_auto or follower.type != s.type:
                    break
                together.append(waiting.pop(0))
            end = "" if not waiting and is_closed and self.odd(15) else ";"
            if len(together) > 1:
                self._declared_together([each for each in together if isinstance(each, Declare)], depth, end)
            else:
                self.statement(s, depth, end)

    def _declared_together(self, declared: Sequence[Declare], depth: int, end: str) -> None:
        texts = [type_text(declared[0].type)]
        for each in declared:
            self.places[id(each)] = self._place
            comma = "," if each is not declared[-1] else ""
            value = "" if each.value is None else f" = {self._at_least(each.value, 0)}"
            texts.append(f"{each.name}{value}{comma}")
        self.put(depth, " ".join(texts) + end)

    def braced(self, head: str, block: Block, depth: int, end: str = ";") -> None:
        only = block.statements[0] if len(block.statements) == 1 else None
        is_loop = isinstance(only, While | For | ForRange | ForEach | ForPairs) and "if (" not in head
        if (is_loop or isinstance(only, _Simple)) and not isinstance(only, Declare) and depth and self.odd(30):
            self.put(depth, head)
            assert only is not None
            self.statement(only, depth + 1, end)
        elif not block.statements and depth and self.odd(30):
            self.put(depth, head + " ;")
        else:
            self.put(depth, f"{head} {{")
            self.block(block.statements, depth + 1)
            self.put(depth, "};" if self.odd(3) and depth and "if (" not in head else "}")

    def statement(self, s: Statement, depth: int, end: str = ";") -> None:
        self.places[id(s)] = self._place
        match s:
            case Declare() | Assign() | Step() | Append():
                self.put(depth, self.simple_text(s) + end)
            case Evaluate():
                self.put(depth, self.text_of(s.value) + end)
            case Block():
                self.put(depth, "{")
                self.block(s.statements, depth + 1)
                self.put(depth, "}")
            case If():
                self._if(s, depth, "", end)
            case While() | For() | ForRange() | ForEach() | ForPairs():
                self._loop(s, depth, end)
            case Switch():
                self.switch(s, depth)
            case Break():
                self.put(depth, "break" + end)
            case Continue():
                self.put(depth, "continue" + end)
            case Return():
                self.put(depth, ("return" if s.value is None else f"return {self.text_of(s.value)}") + end)
            case _:
                assert_never(s)

    def _if(self, s: If, depth: int, before: str, end: str) -> None:
        self.places[id(s)] = self._place
        inner = end if s.otherwise is None else ";"
        self.braced(f"{before}if ({self.text_of(s.condition)})", s.then, depth, inner)
        if s.otherwise is None:
            return
        only = s.otherwise.statements[0] if len(s.otherwise.statements) == 1 else None
        if isinstance(only, If) and self.odd(50):
            self._if(only, depth, "else ", end)
        else:
            self.braced("else", s.otherwise, depth, end)

    def _loop(self, s: While | For | ForRange | ForEach | ForPairs, depth: int, end: str) -> None:
        match s:
            case While():
                condition = self.text_of(s.condition)
                condition = "" if condition == "true" and self.odd(50) else condition
                head = f"for (; {condition};)" if self.odd(15) or not condition else f"while ({condition})"
            case For():
                self.places[id(s.start)] = self.places[id(s.step)] = self._place
                start, step = self.simple_text(s.start), self.simple_text(s.step)
                head = f"for ({start}; {self.text_of(s.condition)}; {step})"
            case ForRange():
                is_auto = s.low.type == s.high.type == s.type and self.odd(20)
                bounds = f"{self._at_least(s.low, 1)}..{self._at_least(s.high, 1)}"
                head = f"for ({'auto' if is_auto else type_text(s.type)} {s.name} in {bounds})"
            case ForEach():
                kind = s.sequence.type
                own = kind.element if isinstance(kind, VectorType) else kind.key if isinstance(kind, MapType) else None
                is_auto = own == s.type and self.odd(20)
                head = f"for ({'auto' if is_auto else type_text(s.type)} {s.name} in {self.text_of(s.sequence)})"
            case ForPairs():
                types = ["auto" if self.odd(20) else type_text(type) for type in (s.key_type, s.value_type)]
                head = f"for ({types[0]} {s.key}, {types[1]} {s.value} in {self.text_of(s.sequence)})"
            case _:
                assert_never(s)
        self.braced(head, s.body, depth, end)

    def switch(self, s: Switch, depth: int) -> None:
        self.put(depth, f"switch ({self.text_of(s.subject)}) {{")
        for case in s.cases:
            values = ", ".join(self.text_of(each) for each in case.values)
            self.put(depth + 1, f"case {values}:" if values else "default:")
            self.block(case.body.statements, depth + 2, case is s.cases[-1])
        self.put(depth, "}")

    def struct(self, struct: Struct) -> None:
        texts: list[str] = []
        previous: Type | None = None
        for name, type in struct.fields:
            if type == previous and self.odd(50):
                texts[-1] += f", {name}"
            else:
                texts.append(f"{type_text(type)} {name}")
            previous = type
        last = "" if self.odd(30) else ";"
        self.put(0, f"struct {struct.name} {{ {'; '.join(texts)}{last} }}{'' if self.odd(20) else ';'}")

    def constant(self, constant: Constant) -> None:
        self.put(0, f"const {type_text(constant.type)} {constant.name} = {self.text_of(constant.value)};")

    def function(self, f: Function) -> None:
        parameters = ", ".join(f"{type_text(p.type)}{'&' if p.is_reference else ''} {p.name}" for p in f.parameters)
        if f.is_extern:
            self.put(0, f"extern {type_text(f.result)} {f.name}({parameters});")
            return
        equals = " =" if self.odd(15) else ""
        self.braced(f"{'job ' if f.is_job else ''}{type_text(f.result)} {f.name}({parameters}){equals}", f.body, 0)


def file_of(program: Program, name: str) -> int:
    """In which of the files a declaration stands."""
    return zlib.crc32(f"{program.style} {name}".encode()) % program.files


def show_files(program: Program) -> tuple[dict[str, str], dict[int, str]]:
    """The text of each file, the main one first, and the place of each statement."""
    style = random.Random(program.style) if program.style else None
    places: dict[int, str] = {}
    names = ["prog.ms", *(f"part{number}.ms" for number in range(1, program.files))]
    writers = [_Writer(name, style, places) for name in names]
    for writer in writers:
        for other in names:
            if other != writer.name:
                writer.put(0, f'import "{other}";')
    for struct in program.structs:
        writers[file_of(program, struct.name)].struct(struct)
    for constant in program.constants:
        writers[file_of(program, constant.name)].constant(constant)
    for function in program.functions:
        writers[file_of(program, function.name)].function(function)
    writers[0].braced("master", program.master, 0)
    end = "\r\n" if program.style % 16 == 15 else "\n"
    return {writer.name: end.join(writer.lines) + end for writer in writers}, places


def show(program: Program) -> tuple[str, dict[int, str]]:
    """The text, of all files in one when there are several, and the place of each statement."""
    texts, places = show_files(program)
    parts = [f"// {name}\n{text}" if len(texts) > 1 else text for name, text in texts.items()]
    return "".join(parts), places
