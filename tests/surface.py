"""Surface trees for the tests of the parser: text in, trees out, and trees as text that shows every bracket."""

from __future__ import annotations

from typing import assert_never

from ms import syntax
from ms.diagnostics import Diagnostic, Diagnostics
from ms.parser import parse
from ms.source import SourceFile


def parsed(data: str | bytes) -> tuple[syntax.Module, list[Diagnostic]]:
    """The module and all messages of a file."""
    diagnostics = Diagnostics()
    file = SourceFile("prog.ms", data.encode() if isinstance(data, str) else data)
    return parse(file, diagnostics), diagnostics.items


def module(text: str) -> syntax.Module:
    """The module of a text that is right."""
    tree, messages = parsed(text)
    assert messages == []
    assert tree.skipped == ()
    assert tree.skipped_names == frozenset()
    return tree


def statements(text: str) -> tuple[syntax.Statement, ...]:
    """The statements of a master block."""
    (declaration,) = module(f"master {{ {text} }}").declarations
    assert isinstance(declaration, syntax.MasterDeclaration)
    return declaration.body.statements


def statement(text: str) -> syntax.Statement:
    (only,) = statements(text)
    return only


def expression(text: str) -> syntax.Expression:
    found = statement(f"{text};")
    assert isinstance(found, syntax.ExpressionStatement)
    return found.expression


def value(text: str) -> syntax.Expression:
    """An expression where a value is expected."""
    found = statement(f"x = {text};")
    assert isinstance(found, syntax.Assignment)
    return found.value


def written(node: syntax.Expression | syntax.EachArgument) -> str:
    """An expression with brackets around everything that has parts."""
    match node:
        case syntax.IntegerLiteral():
            return f"{node.value}{'L' if node.is_long else ''}"
        case syntax.FloatingLiteral():
            return f"{node.value!r}{'f' if node.is_float else ''}"
        case syntax.BooleanLiteral():
            return str(node.value).lower()
        case syntax.CharLiteral():
            return f"char {node.value}"
        case syntax.TextLiteral():
            return repr(node.value)
        case syntax.StateName():
            return f"state {node.text}"
        case syntax.NameUse():
            return node.name.text
        case syntax.IndexOf():
            return f"{written(node.base)}[{written(node.index)}]"
        case syntax.SliceOf():
            return f"{written(node.base)}[{written(node.low)}..{written(node.high)}]"
        case syntax.FieldOf():
            return f"{written(node.base)}->{node.field.text}"
        case syntax.EachArgument():
            return f"each {written(node.value)}"
        case syntax.CallOf():
            receiver = f"{written(node.receiver)}." if node.receiver else ""
            return f"{receiver}{node.function.text}({', '.join(map(written, node.arguments))})"
        case syntax.Prefix():
            return f"({node.operator}{written(node.operand)})"
        case syntax.RemoteOf():
            return f"(remote {written(node.call)}{f' reduce {node.reduce.text}' if node.reduce else ''})"
        case syntax.Infix():
            return f"({written(node.left)} {node.operator} {written(node.right)})"
        case syntax.Choice():
            return f"({written(node.condition)} ? {written(node.then)} : {written(node.otherwise)})"
        case syntax.Range():
            return f"({written(node.low)}..{written(node.high)})"
        case syntax.VectorOf():
            return f"[{', '.join(map(written, node.elements))}]"
        case syntax.StructOf():
            return f"{node.name.text}{{{', '.join(f'{name.text}: {written(given)}' for name, given in node.fields)}}}"
        case syntax.MapOf():
            return f"{{{', '.join(f'{written(key)}: {written(given)}' for key, given in node.pairs)}}}"
    assert_never(node)


def type_written(node: syntax.TypeName) -> str:
    match node:
        case syntax.NamedType():
            return node.name
        case syntax.StructTypeName():
            return f"struct {node.name.text}"
        case syntax.VectorTypeName():
            return f"vector<{type_written(node.element)}>"
        case syntax.MapTypeName():
            return f"map<{type_written(node.key)}, {type_written(node.value)}>"
        case syntax.JobTypeName():
            return f"job<{type_written(node.result)}>"
    assert_never(node)


def source_of(node: syntax.Expression | syntax.Statement | syntax.TypeName) -> str:
    """The bytes that a node's span covers."""
    return node.span.file.data[node.span.start : node.span.end].decode()


def shape(node: syntax.Statement | None) -> str:
    """A statement in one line, its parts in ( )."""
    match node:
        case None:
            return "none"
        case syntax.Declaration():
            each = (f"{d.name.text}{f' = {written(d.value)}' if d.value else ''}" for d in node.declarators)
            return f"{type_written(node.type)} {', '.join(each)}"
        case syntax.Assignment():
            return f"{written(node.target)} {node.operator} {written(node.value)}"
        case syntax.Step():
            return f"{written(node.target)}{node.operator}"
        case syntax.Appending():
            return " :: ".join(map(written, (node.target, *node.values)))
        case syntax.ExpressionStatement():
            return written(node.expression)
        case syntax.BlockOf():
            return f"{{{'; '.join(map(shape, node.statements))}}}"
        case syntax.IfStatement():
            otherwise = f" else {shape(node.otherwise)}" if node.otherwise else ""
            return f"if ({written(node.condition)}) {shape(node.then)}{otherwise}"
        case syntax.WhileStatement():
            return f"while ({written(node.condition)}) {shape(node.body)}"
        case syntax.ForStatement():
            condition = written(node.condition) if node.condition else "none"
            return f"for ({shape(node.init)}; {condition}; {shape(node.step)}) {shape(node.body)}"
        case syntax.ForInStatement():
            variables = ", ".join(f"{type_written(type)} {name.text}" for type, name in node.variables)
            return f"for ({variables} in {written(node.sequence)}) {shape(node.body)}"
        case syntax.SwitchStatement():
            cases = " ".join(f"({', '.join(map(written, c.values))}): {shape(c.body)}" for c in node.cases)
            return f"switch ({written(node.subject)}) {cases}".rstrip()
        case syntax.BreakStatement():
            return "break"
        case syntax.ContinueStatement():
            return "continue"
        case syntax.ReturnStatement():
            return f"return {written(node.value)}" if node.value else "return"
    assert_never(node)
