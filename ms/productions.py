"""The productions of `grammar.lark`: one method for each, which makes the node of `syntax.py` of that name.

lark calls a method when it reduces the production, with what the production's symbols have become. Which production it
is, and what to do when none fits, is left to lark and `parser.py`.
Invariant: nothing here recurses into a node, so that text may be as deep as it likes.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from ms import errors, lexer, syntax
from ms.diagnostics import Diagnostics
from ms.lexer import Token
from ms.source import SourceFile, Span

# Language page, §4: the binary operators from the tightest level to the loosest.
_LEVELS = ("* / %", "+ -", "<< >> >>>", "&", "^", "|", "< <= > >=", "== !=", "&&", "||")
_TIGHTNESS = {operator: -level for level, row in enumerate(_LEVELS) for operator in row.split()}


class Chain:
    """Operands with binary operators between them: `a + b * c` before its tree is built."""

    __slots__ = ("operands", "operators")

    def __init__(self, operand: syntax.Expression) -> None:
        self.operands = [operand]
        self.operators: list[Token] = []


class Productions:
    """`file` and `diagnostics` are those of the parse under way. Each method takes the values of its production."""

    def __init__(self) -> None:
        self.file = SourceFile("", b"")
        self.diagnostics = Diagnostics()

    # Helpers of all productions

    def _span(self, token: Token) -> Span:
        return Span(self.file, token.start, token.end)

    def _name(self, token: Token) -> syntax.Name:
        return syntax.Name(token.text, Span(self.file, token.start, token.end))

    def _after(self, token: Token, node: Any) -> Span:
        """From a token to a node."""
        return Span(self.file, token.start, node.span.end)

    def _until(self, node: Any, token: Token) -> Span:
        """From a node to a token."""
        return Span(self.file, node.span.start, token.end)

    def _between(self, first: Token, last: Token) -> Span:
        return Span(self.file, first.start, last.end)

    def _body(self, statement: syntax.Statement | None) -> syntax.BlockOf:
        """A branch or a loop's body as a block, with braces or without."""
        if isinstance(statement, syntax.BlockOf):
            return statement
        assert statement is not None
        return syntax.BlockOf((statement,), statement.span)

    # Lists and choices that make no node

    def empty(self, c: list[Any]) -> list[Any]:
        return []

    def nothing(self, c: list[Any]) -> None:
        return None

    # The most frequent of all: lark calls these without a frame.
    only = itemgetter(0)
    second = itemgetter(1)

    def first(self, c: list[Any]) -> list[Any]:
        return [c[0]]

    def next(self, c: list[Any]) -> list[Any]:
        c[0].append(c[2])
        return c[0]  # type: ignore[no-any-return]

    def more(self, c: list[Any]) -> list[Any]:
        if c[1] is not None:
            c[0].append(c[1])
        return c[0]  # type: ignore[no-any-return]

    def more_and_semicolon(self, c: list[Any]) -> list[Any]:
        return self.more(c)

    def stray_semicolon(self, c: list[Any]) -> list[Any]:
        return c[0]  # type: ignore[no-any-return]

    def first_name(self, c: list[Any]) -> list[syntax.Name]:
        return [self._name(c[0])]

    def next_name(self, c: list[Any]) -> list[syntax.Name]:
        c[0].append(self._name(c[2]))
        return c[0]  # type: ignore[no-any-return]

    # Declarations at the top

    def module(self, c: list[Any]) -> list[syntax.TopLevel]:
        return c[0]  # type: ignore[no-any-return]

    def import_declaration(self, c: list[Any]) -> syntax.Import:
        return syntax.Import(self.text([c[1]]), self._between(c[0], c[1]))

    def const_declaration(self, c: list[Any]) -> syntax.ConstDeclaration:
        return syntax.ConstDeclaration(c[1], tuple(c[2]), self._between(c[0], c[3]))

    def struct_declaration(self, c: list[Any]) -> syntax.StructDeclaration:
        return syntax.StructDeclaration(self._name(c[1]), tuple(c[3]), self._between(c[0], c[-1]))

    def struct_declaration_open(self, c: list[Any]) -> syntax.StructDeclaration:
        c[3].append(c[4])
        return self.struct_declaration(c)

    def field(self, c: list[Any]) -> syntax.FieldDeclaration:
        return syntax.FieldDeclaration(c[0], tuple(c[1]))

    def value_parameter(self, c: list[Any]) -> syntax.Parameter:
        return syntax.Parameter(c[0], False, self._name(c[1]), self._until(c[0], c[1]))

    def reference_parameter(self, c: list[Any]) -> syntax.Parameter:
        return syntax.Parameter(c[0], True, self._name(c[2]), self._until(c[0], c[2]))

    def function_declaration(self, c: list[Any]) -> syntax.FunctionDeclaration:
        result, name, _, parameters, close, body = c
        span = self._until(result, close)
        return syntax.FunctionDeclaration(result, self._name(name), tuple(parameters), body, False, span)

    def job_declaration(self, c: list[Any]) -> syntax.FunctionDeclaration:
        _, result, name, _, parameters, close, body = c
        span = self._until(result, close)
        return syntax.FunctionDeclaration(result, self._name(name), tuple(parameters), body, True, span)

    def extern_declaration(self, c: list[Any]) -> syntax.ExternDeclaration:
        extern, result, name, _, parameters, close, _ = c
        return syntax.ExternDeclaration(result, self._name(name), tuple(parameters), self._between(extern, close))

    def master_declaration(self, c: list[Any]) -> syntax.MasterDeclaration:
        return syntax.MasterDeclaration(c[1], self._span(c[0]))

    # Types

    def named_type(self, c: list[Any]) -> syntax.NamedType:
        return syntax.NamedType(c[0].text, self._span(c[0]))

    def struct_type(self, c: list[Any]) -> syntax.StructTypeName:
        return syntax.StructTypeName(self._name(c[1]), self._between(c[0], c[1]))

    def vector_type(self, c: list[Any]) -> syntax.VectorTypeName:
        return syntax.VectorTypeName(c[2], self._between(c[0], c[3]))

    def map_type(self, c: list[Any]) -> syntax.MapTypeName:
        return syntax.MapTypeName(c[2], c[4], self._between(c[0], c[5]))

    def job_type(self, c: list[Any]) -> syntax.JobTypeName:
        return syntax.JobTypeName(c[2], self._between(c[0], c[3]))

    # Statements

    def block(self, c: list[Any]) -> syntax.BlockOf:
        return syntax.BlockOf(tuple(c[1]), self._between(c[0], c[-1]))

    def block_open(self, c: list[Any]) -> syntax.BlockOf:
        c[1].append(c[2])
        return self.block(c)

    def empty_statement(self, c: list[Any]) -> syntax.BlockOf:
        return syntax.BlockOf((), self._span(c[0]))

    def declaration(self, c: list[Any]) -> syntax.Declaration:
        declared = self._declared_type(c[0])
        last = c[1][-1]
        end = (last.value or last.name).span.end
        return syntax.Declaration(declared, tuple(c[1]), Span(self.file, declared.span.start, end))

    def _declared_type(self, given: Any) -> syntax.TypeName:
        return self.named_type([given]) if isinstance(given, Token) else given

    def declarator(self, c: list[Any]) -> syntax.Declarator:
        return syntax.Declarator(self._name(c[0]), None)

    def initialised(self, c: list[Any]) -> syntax.Declarator:
        return syntax.Declarator(self._name(c[0]), c[2])

    def expression_statement(self, c: list[Any]) -> syntax.ExpressionStatement:
        return syntax.ExpressionStatement(c[0], c[0].span)

    def assignment(self, c: list[Any]) -> syntax.Assignment:
        target, operator, value = c
        return syntax.Assignment(target, operator.text, value, target.span.to(value.span))

    def step(self, c: list[Any]) -> syntax.Step:
        return syntax.Step(c[0], c[1].text, self._until(c[0], c[1]))

    def first_append(self, c: list[Any]) -> list[Any]:
        return [c[0], c[2]]

    def next_append(self, c: list[Any]) -> list[Any]:
        c[0].append(c[2])
        return c[0]  # type: ignore[no-any-return]

    def appending(self, c: list[Any]) -> syntax.Appending:
        target, *values = c[0]
        return syntax.Appending(target, tuple(values), target.span.to(values[-1].span))

    def break_statement(self, c: list[Any]) -> syntax.BreakStatement:
        return syntax.BreakStatement(self._span(c[0]))

    def continue_statement(self, c: list[Any]) -> syntax.ContinueStatement:
        return syntax.ContinueStatement(self._span(c[0]))

    def return_statement(self, c: list[Any]) -> syntax.ReturnStatement:
        return syntax.ReturnStatement(None, self._span(c[0]))

    def return_value_statement(self, c: list[Any]) -> syntax.ReturnStatement:
        return syntax.ReturnStatement(c[1], self._after(c[0], c[1]))

    def if_statement(self, c: list[Any]) -> syntax.IfStatement:
        then = self._body(c[4])
        return syntax.IfStatement(c[2], then, None, self._after(c[0], then))

    def if_else_statement(self, c: list[Any]) -> syntax.IfStatement:
        otherwise = self._body(c[6])
        return syntax.IfStatement(c[2], self._body(c[4]), otherwise, self._after(c[0], otherwise))

    def while_statement(self, c: list[Any]) -> syntax.WhileStatement:
        body = self._body(c[4])
        return syntax.WhileStatement(c[2], body, self._after(c[0], body))

    def for_head(self, c: list[Any]) -> tuple[Any, ...]:
        return c[0], c[2], c[4], c[6]

    def for_in_head(self, c: list[Any]) -> tuple[Any, ...]:
        variables = ((self._declared_type(c[2]), self._loop_variable(c[3])),)
        return c[0], variables, c[5]

    def for_pair_head(self, c: list[Any]) -> tuple[Any, ...]:
        first = self._declared_type(c[2]), self._loop_variable(c[3])
        return c[0], (first, (self._declared_type(c[5]), self._name(c[6]))), c[8]

    def _loop_variable(self, declarators: list[syntax.Declarator]) -> syntax.Name:
        first = declarators[0]
        if first.value is not None:
            self.diagnostics.add(errors.syntax_error(first.value.span, "a first value", "`in`"))
        elif len(declarators) > 1:
            help = "each variable has its type: for (string key, int value in m)"
            self.diagnostics.add(errors.syntax_error(declarators[1].name.span, "a second name", "`in`", help))
        return first.name

    def for_statement(self, c: list[Any]) -> syntax.ForStatement | syntax.ForInStatement:
        head, body = c[0], self._body(c[1])
        span = self._after(head[0], body)
        if len(head) == 3:
            return syntax.ForInStatement(head[1], head[2], body, span)
        return syntax.ForStatement(head[1], head[2], head[3], body, span)

    def switch_statement(self, c: list[Any]) -> syntax.SwitchStatement:
        span = self._between(c[0], c[-1])
        return syntax.SwitchStatement(c[2], tuple(self._cases(c[5])), span)

    def switch_statement_open(self, c: list[Any]) -> syntax.SwitchStatement:
        c[5].append(c[6])
        return self.switch_statement(c)

    def case_label(self, c: list[Any]) -> tuple[tuple[syntax.Expression, ...], Span]:
        return tuple(c[1]), self._between(c[0], c[2])

    def default_label(self, c: list[Any]) -> tuple[tuple[syntax.Expression, ...], Span]:
        return (), self._between(c[0], c[1])

    def _cases(self, items: list[Any]) -> list[syntax.CaseOf]:
        """Labels, each with the statements up to the next one."""
        cases: list[syntax.CaseOf] = []
        label: tuple[tuple[syntax.Expression, ...], Span] | None = None
        statements: list[syntax.Statement] = []

        def close() -> None:
            if label is not None:
                values, span = label
                after = Span(self.file, span.end, span.end)
                inner = statements[0].span.to(statements[-1].span) if statements else after
                body = syntax.BlockOf(tuple(statements), inner)
                cases.append(syntax.CaseOf(values, body, span))

        for item in items:
            if isinstance(item, tuple):
                close()
                label, statements = item, []
            elif label is None:
                self.diagnostics.add(errors.syntax_error(item.span, "a statement", "`case` or `default`"))
            else:
                statements.append(item)
        close()
        return cases

    # Expressions

    def range(self, c: list[Any]) -> syntax.Range:
        return syntax.Range(c[0], c[2], c[0].span.to(c[2].span))

    def chain(self, c: list[Any]) -> Chain:
        left, operator, right = c
        chain = left if isinstance(left, Chain) else Chain(left)
        chain.operators.append(operator)
        chain.operands.append(right)
        return chain

    def infix(self, c: list[Any]) -> syntax.Expression:
        return self._tree(c[0])

    def _tree(self, given: Any) -> syntax.Expression:
        """The tree of a chain: tighter operators bind first, equal ones to the left."""
        if not isinstance(given, Chain):
            return given  # type: ignore[no-any-return]
        operands = [given.operands[0]]
        pending: list[Token] = []
        for operator, operand in zip(given.operators, given.operands[1:], strict=True):
            while pending and _TIGHTNESS[pending[-1].text] >= _TIGHTNESS[operator.text]:
                self._join(operands, pending.pop())
            pending.append(operator)
            operands.append(operand)
        while pending:
            self._join(operands, pending.pop())
        return operands[0]

    def _join(self, operands: list[syntax.Expression], operator: Token) -> None:
        right = operands.pop()
        left = operands[-1]
        operands[-1] = syntax.Infix(operator.text, left, right, self._span(operator), left.span.to(right.span))

    def choice(self, c: list[Any]) -> syntax.Choice:
        condition = self._tree(c[0])
        return syntax.Choice(condition, c[2], c[4], condition.span.to(c[4].span))

    def prefix(self, c: list[Any]) -> syntax.Prefix:
        return syntax.Prefix(c[0].text, c[1], self._after(c[0], c[1]))

    def minimum(self, c: list[Any]) -> syntax.IntegerLiteral:
        value = -int(c[1].text.rstrip("L"))
        return syntax.IntegerLiteral(value, value < -lexer.INT_MAX - 1, self._between(c[0], c[1]))

    def remote(self, c: list[Any]) -> syntax.RemoteOf:
        return syntax.RemoteOf(c[1], None, self._after(c[0], c[1]))

    def remote_reduce(self, c: list[Any]) -> syntax.RemoteOf:
        return syntax.RemoteOf(c[1], self._name(c[3]), self._between(c[0], c[3]))

    def integer(self, c: list[Any]) -> syntax.IntegerLiteral:
        span = self._span(c[0])
        value, is_long = lexer.integer_value(c[0].text, span, self.diagnostics)
        return syntax.IntegerLiteral(value, is_long, span)

    def lone_minimum(self, c: list[Any]) -> syntax.IntegerLiteral:
        return self.integer(c)

    def floating(self, c: list[Any]) -> syntax.FloatingLiteral:
        span = self._span(c[0])
        value, single, is_float = lexer.floating_value(c[0].text, span, self.diagnostics)
        return syntax.FloatingLiteral(value, single, is_float, span)

    def char(self, c: list[Any]) -> syntax.CharLiteral:
        return syntax.CharLiteral(lexer.char_value(self.file, c[0], self.diagnostics), self._span(c[0]))

    def text(self, c: list[Any]) -> syntax.TextLiteral:
        return syntax.TextLiteral(lexer.text_value(self.file, c[0], self.diagnostics), self._span(c[0]))

    def boolean(self, c: list[Any]) -> syntax.BooleanLiteral:
        return syntax.BooleanLiteral(c[0].text == "true", self._span(c[0]))

    def state_name(self, c: list[Any]) -> syntax.StateName:
        return syntax.StateName(c[0].text, self._span(c[0]))

    def name_use(self, c: list[Any]) -> syntax.NameUse:
        name = self._name(c[0])
        return syntax.NameUse(name, name.span)

    def call(self, c: list[Any]) -> syntax.CallOf:
        return syntax.CallOf(self._name(c[0]), None, tuple(c[2]), self._between(c[0], c[3]))

    def method_call(self, c: list[Any]) -> syntax.CallOf:
        receiver, _, name, _, arguments, close = c
        return syntax.CallOf(self._name(name), receiver, tuple(arguments), self._until(receiver, close))

    def each_argument(self, c: list[Any]) -> syntax.EachArgument:
        return syntax.EachArgument(c[1], self._after(c[0], c[1]))

    def index(self, c: list[Any]) -> syntax.IndexOf:
        return syntax.IndexOf(c[0], c[2], self._until(c[0], c[3]))

    def slice(self, c: list[Any]) -> syntax.SliceOf:
        return syntax.SliceOf(c[0], c[2], c[4], self._until(c[0], c[5]))

    def field_of(self, c: list[Any]) -> syntax.FieldOf:
        return syntax.FieldOf(c[0], self._name(c[2]), self._until(c[0], c[2]))

    def vector_of(self, c: list[Any]) -> syntax.VectorOf:
        return syntax.VectorOf(tuple(c[1]), self._between(c[0], c[2]))

    def struct_of(self, c: list[Any]) -> syntax.StructOf:
        fields = tuple((self._name(name), value) for name, value in c[2])
        return syntax.StructOf(self._name(c[0]), fields, self._between(c[0], c[3]))

    def map_of(self, c: list[Any]) -> syntax.MapOf:
        return syntax.MapOf(tuple(c[1]), self._between(c[0], c[2]))

    def pair(self, c: list[Any]) -> tuple[Any, Any]:
        return c[0], c[2]
