"""An abstract program as text, with as few parentheses as the language's precedences allow.

Gives the line of every statement (and of each function's head), by the identity of its node: `twin.py` says with them
where a program fails. Always holds: a statement's own expressions stand on its first line.
"""

from __future__ import annotations

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
    Return,
    Slice,
    Statement,
    Step,
    StructOf,
    Switch,
    Unary,
    Value,
    VectorOf,
    While,
)
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, LONG, STRING, JobType, MapType, StructType, Type, VectorType

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
    if type is INT or type is LONG:
        if value == -(1 << 63):
            return "0x8000000000000000"
        return f"{value}{'L' if type is LONG else ''}"
    if type is DOUBLE or type is FLOAT:
        assert isinstance(value, float)
        return _real(value, "f" if type is FLOAT else "")
    return "{}" if value == {} else "[]"


# Expressions


def text_of(e: Expression) -> str:
    return _text(e)[0]


def _at_least(e: Expression, level: int) -> str:
    text, own = _text(e)
    return text if own >= level else f"({text})"


def _text(e: Expression) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match e:
        case Literal():
            text = literal_text(e.type, e.value)
            is_number = text[0].isdigit() or text[0] == "-"
            return text, _PREFIX if is_number else _POSTFIX
        case Name():
            return e.name, _POSTFIX
        case Field():
            return f"{_at_least(e.base, _POSTFIX)}->{e.name}", _POSTFIX
        case Index():
            return f"{_at_least(e.base, _POSTFIX)}[{text_of(e.index)}]", _POSTFIX
        case Slice():
            low, high = _at_least(e.low, 1), _at_least(e.high, 1)
            return f"{_at_least(e.base, _POSTFIX)}[{low}..{high}]", _POSTFIX
        case Unary():
            inner, level = _text(e.operand)
            return e.operator + (inner if level >= _POSTFIX else f"({inner})"), _PREFIX
        case Binary():
            level = PRECEDENCE[e.operator]
            return f"{_at_least(e.left, level)} {e.operator} {_at_least(e.right, level + 1)}", level
        case Choice():
            return f"{_at_least(e.condition, 1)} ? {text_of(e.then)} : {_at_least(e.otherwise, 0)}", 0
        case Convert():
            return _text(e.operand) if e.implicit else (f"{e.type}({text_of(e.operand)})", _POSTFIX)
        case VectorOf():
            return f"[{', '.join(map(text_of, e.elements))}]", _POSTFIX
        case MapOf():
            pairs = ", ".join(f"{text_of(key)}: {text_of(value)}" for key, value in zip(e.keys, e.values))
            return f"{{{pairs}}}", _PREFIX  # at the beginning of a statement it would be a block
        case StructOf():
            assert isinstance(e.type, StructType)
            fields = ", ".join(f"{name}: {text_of(value)}" for name, value in e.fields)
            return f"{e.type.name}{{{fields}}}", _POSTFIX
        case Call():
            text = _call(e.function, e.arguments, e.method, "", e.each)
            return (f"remote {text}", _PREFIX) if e.remote else (text, _POSTFIX)
        case Builtin():
            return _call(e.name, e.arguments, e.method, e.less), _POSTFIX
        case _:
            assert_never(e)


def _call(name: str, arguments: tuple[Expression, ...], method: bool, less: str, each: int = -1) -> str:
    texts = [("each " if i == each else "") + text_of(part) for i, part in enumerate(arguments)]
    texts += [less] if less else []
    if method and arguments:
        return f"{_at_least(arguments[0], _POSTFIX)}.{name}({', '.join(texts[1:])})"
    return f"{name}({', '.join(texts)})"


# Statements and declarations


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.places: dict[int, int] = {}

    def put(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, block: Block, depth: int) -> None:
        for statement in block.statements:
            self.statement(statement, depth)

    def braced(self, head: str, block: Block, depth: int) -> None:
        self.put(depth, f"{head} {{")
        self.block(block, depth + 1)
        self.put(depth, "}")

    def statement(self, s: Statement, depth: int) -> None:
        self.places[id(s)] = len(self.lines) + 1
        match s:
            case Declare() | Assign() | Step() | Append():
                self.put(depth, simple_text(s) + ";")
            case Evaluate():
                self.put(depth, text_of(s.value) + ";")
            case Block():
                self.put(depth, "{")
                self.block(s, depth + 1)
                self.put(depth, "}")
            case If():
                self.braced(f"if ({text_of(s.condition)})", s.then, depth)
                if s.otherwise is not None:
                    self.braced("else", s.otherwise, depth)
            case While():
                self.braced(f"while ({text_of(s.condition)})", s.body, depth)
            case For():
                self.places[id(s.start)] = self.places[id(s.step)] = len(self.lines) + 1
                head = f"{simple_text(s.start)}; {text_of(s.condition)}; {simple_text(s.step)}"
                self.braced(f"for ({head})", s.body, depth)
            case ForRange():
                bounds = f"{_at_least(s.low, 1)}..{_at_least(s.high, 1)}"
                self.braced(f"for ({type_text(s.type)} {s.name} in {bounds})", s.body, depth)
            case ForEach():
                self.braced(f"for ({type_text(s.type)} {s.name} in {text_of(s.sequence)})", s.body, depth)
            case ForPairs():
                names = f"{type_text(s.key_type)} {s.key}, {type_text(s.value_type)} {s.value}"
                self.braced(f"for ({names} in {text_of(s.sequence)})", s.body, depth)
            case Switch():
                self.switch(s, depth)
            case Break():
                self.put(depth, "break;")
            case Continue():
                self.put(depth, "continue;")
            case Return():
                self.put(depth, "return;" if s.value is None else f"return {text_of(s.value)};")
            case _:
                assert_never(s)

    def switch(self, s: Switch, depth: int) -> None:
        self.put(depth, f"switch ({text_of(s.subject)}) {{")
        for case in s.cases:
            values = ", ".join(text_of(each) for each in case.values)
            self.put(depth + 1, f"case {values}:" if values else "default:")
            self.block(case.body, depth + 2)
        self.put(depth, "}")

    def function(self, f: Function) -> None:
        parameters = ", ".join(f"{type_text(p.type)}{'&' if p.is_reference else ''} {p.name}" for p in f.parameters)
        self.braced(f"{'job ' if f.is_job else ''}{type_text(f.result)} {f.name}({parameters})", f.body, 0)


def simple_text(s: Declare | Assign | Step | Append) -> str:
    match s:
        case Declare():
            value = "" if s.value is None else f" = {text_of(s.value)}"
            return f"{'auto' if s.is_auto else type_text(s.type)} {s.name}{value}"
        case Assign():
            return f"{text_of(s.target)} {s.operator}= {text_of(s.value)}"
        case Step():
            return text_of(s.target) + s.operator
        case Append():
            return " :: ".join([text_of(s.target), *(_at_least(each, 0) for each in s.values)])
        case _:
            assert_never(s)


def show(program: Program) -> tuple[str, dict[int, int]]:
    """The text, and the line of each statement."""
    writer = _Writer()
    for struct in program.structs:
        fields = " ".join(f"{type_text(type)} {name};" for name, type in struct.fields)
        writer.put(0, f"struct {struct.name} {{ {fields} }};")
    for constant in program.constants:
        writer.put(0, f"const {type_text(constant.type)} {constant.name} = {text_of(constant.value)};")
    for function in program.functions:
        writer.function(function)
    writer.braced("master", program.master, 0)
    return "\n".join(writer.lines) + "\n", writer.places
