"""What stands at the top of a program: structs, constants, functions, jobs and the master block.

First every name becomes known, then the structs' fields and the functions' heads are resolved, then the constants are
computed and the bodies checked: so declarations may stand in any order. What a job can reach is looked at last.
"""

from __future__ import annotations

from pathlib import PurePath

from ms import errors, syntax, typed
from ms.checker import builtin_structs, constants, jobs, statements
from ms.checker.context import Body, Checker
from ms.checker.flow import check_flow
from ms.checker.types import contains_job, resolve, resolve_result
from ms.scope import ConstantSymbol, FunctionSymbol, StructSymbol
from ms.source import SourceFile, Span
from ms.typed import VariableKind
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, LONG, VOID, StructType, Type, VectorType


def check_modules(checker: Checker, program: syntax.Program) -> typed.Program:
    """The modules of a program, in order."""
    checker.globals.imports = program.imports
    masters = [master for module in program.modules for master in _collect(checker, module)]
    builtin_structs.add(checker)
    main = program.modules[-1].file
    _check_structs(checker)
    heads = _check_heads(checker)
    computed = [constants.constant_of(checker, symbol) for symbol in checker.globals.constants.values()]
    functions = [_function(symbol, declaration, body) for symbol, declaration, body in heads]
    master = _masters(checker, main, masters)
    jobs.check_reach([body for _, _, body in heads])
    return typed.Program(
        PurePath(main.name).stem,
        main,
        builtin_structs.used(checker),
        tuple(constant for constant in computed if constant is not None),
        tuple(function for function in functions if function is not None),
        tuple(each.ref for each in checker.globals.functions.values() if each.ref is not None and each.ref.is_extern),
        master,
    )


# Names


def _collect(checker: Checker, module: syntax.Module) -> list[syntax.MasterDeclaration]:
    """Makes every name known; gives the master blocks."""
    masters: list[syntax.MasterDeclaration] = []
    symbols = checker.globals
    for declaration in module.declarations:
        match declaration:
            case syntax.FunctionDeclaration(name=name, parameters=parameters):
                if _is_free(checker, name):
                    symbols.functions[name.text] = FunctionSymbol(name.span, declaration, None, parameters)
            case syntax.StructDeclaration(name=name):
                earlier = symbols.structs.get(name.text)
                if earlier is not None:
                    checker.report(errors.name_taken(name.span, name.text, earlier.span))
                else:
                    symbols.structs[name.text] = StructSymbol(declaration)
            case syntax.ConstDeclaration(type=type, declarators=declarators):
                for declarator in declarators:
                    if _is_free(checker, declarator.name):
                        symbols.constants[declarator.name.text] = ConstantSymbol(type, declarator)
            case syntax.MasterDeclaration():
                masters.append(declaration)
            case syntax.ExternDeclaration(name=name, parameters=parameters):
                if _is_free(checker, name):
                    symbols.functions[name.text] = FunctionSymbol(name.span, declaration, None, parameters)
            case syntax.Import():
                pass
    return masters


def _is_free(checker: Checker, name: syntax.Name) -> bool:
    """Whether no function and no constant has the name yet; reports it otherwise."""
    symbols = checker.globals
    earlier = symbols.functions.get(name.text) or symbols.constants.get(name.text)
    if earlier is None:
        return True
    checker.report(errors.name_taken(name.span, name.text, earlier.span))
    return False


# Structs


def _check_structs(checker: Checker) -> None:
    structs = checker.globals.structs
    body = Body(checker, "", None)
    for name, symbol in structs.items():
        if not symbol.is_builtin:
            _resolve_fields(body, name, symbol)
    done: set[str] = set()
    for name in structs:
        _check_containment(checker, name, done, [])


def _resolve_fields(body: Body, name: str, symbol: StructSymbol) -> None:
    declaration = symbol.declaration
    fields: list[typed.StructField] = []
    seen: dict[str, Span] = {}
    for group in declaration.fields:
        type: Type | None = resolve(body, group.type, "a field")
        if type is not None and contains_job(type):
            body.report(errors.handle_in(group.type.span, "a field"))
            type = None
        for field in group.names:
            if field.text in seen:
                body.report(errors.duplicate_part(field.span, "field", field.text, seen[field.text]))
                continue
            seen[field.text] = field.span
            if type is None:
                symbol.broken.add(field.text)
            else:
                symbol.indices[field.text] = len(fields)
                fields.append(typed.StructField(field.text, type, field.span))
    if not declaration.fields:
        body.report(errors.empty_struct(declaration.name.span, name))
    symbol.struct = typed.Struct(name, tuple(fields), declaration.name.span)
    body.checker.structs[name] = symbol.struct


def _check_containment(checker: Checker, name: str, done: set[str], path: list[tuple[str, typed.StructField]]) -> None:
    """Follows the fields that lie in the struct itself; `path` is how it was come to."""
    names = [step[0] for step in path]
    if name in names:
        if name in done:
            return
        done.add(name)
        circle = path[names.index(name) :]
        chain = tuple((field.span, f"struct {owner} holds a {field.type}") for owner, field in circle)
        checker.report(errors.struct_contains_itself(checker.globals.structs[name].span, name, chain))
        return
    if name in done:
        return
    struct = checker.structs[name]
    for field in struct.fields:
        if isinstance(field.type, StructType):
            _check_containment(checker, field.type.name, done, [*path, (name, field)])
    done.add(name)


# Functions


def _check_heads(checker: Checker) -> list[tuple[FunctionSymbol, syntax.FunctionDeclaration, Body]]:
    """Resolves every head; gives the functions that have a body, each with what it is checked in. Jobs are numbered
    from 1."""
    found = []
    ordinal = 0
    for name, symbol in checker.globals.functions.items():
        declaration = symbol.declaration
        body = Body(checker, name, None)
        if isinstance(declaration, syntax.ExternDeclaration):
            symbol.ref = _extern_head(body, declaration)
            continue
        ordinal += declaration.is_job
        symbol.ref = body.ref = _head(body, declaration, ordinal if declaration.is_job else 0)
        body.result = None if symbol.ref is None else symbol.ref.result
        found.append((symbol, declaration, body))
    return found


def _head(body: Body, declaration: syntax.FunctionDeclaration, ordinal: int) -> typed.FunctionRef | None:
    is_job = declaration.is_job
    result = resolve_result(body, declaration.result)
    if is_job and result is not None and contains_job(result):
        body.report(errors.handle_travels(declaration.result.span, "result", result))
        result = None
    types: list[Type] = []
    kinds: list[VariableKind] = []
    for parameter in declaration.parameters:
        type = resolve(body, parameter.type, "a parameter")
        if type is None:
            continue
        if is_job and contains_job(type):
            body.report(errors.handle_travels(parameter.span, "parameter", type))
        elif is_job and parameter.is_reference:
            body.report(errors.job_with_reference(parameter.span, parameter.name.text))
        types.append(type)
        kinds.append(VariableKind.REFERENCE if parameter.is_reference else VariableKind.PARAMETER)
    if result is None or len(types) < len(declaration.parameters):
        return None
    return typed.FunctionRef(
        body.name, tuple(types), tuple(kinds), result, is_job, False, ordinal, declaration.name.span
    )


_C_SCALARS = (INT, LONG, DOUBLE, FLOAT, BOOL, CHAR)


def _extern_head(body: Body, declaration: syntax.ExternDeclaration) -> typed.FunctionRef | None:
    """The head of a C function: scalars in and out, and vectors of scalars in."""
    name = declaration.name
    is_wrong = name.text == "main" or name.text.startswith("ms_")
    if is_wrong:
        body.report(errors.runtime_name(name.span, name.text))
    result = resolve_result(body, declaration.result)
    if result is not None and result is not VOID and result not in _C_SCALARS:
        body.report(errors.no_c_type(declaration.result.span, "return", result))
        result = None
    types: list[Type] = []
    seen: dict[str, Span] = {}
    for parameter in declaration.parameters:
        text, span = parameter.name.text, parameter.name.span
        if seen.setdefault(text, span) is not span:
            body.report(errors.duplicate_part(span, "parameter", text, seen[text]))
        type = resolve(body, parameter.type, "a parameter")
        if type is None:
            continue
        if parameter.is_reference:
            body.report(errors.extern_with_reference(parameter.span, parameter.name.text))
        elif type in _C_SCALARS or (isinstance(type, VectorType) and type.element in _C_SCALARS):
            types.append(type)
        else:
            body.report(errors.no_c_type(parameter.type.span, "take", type))
    if is_wrong or result is None or len(types) < len(declaration.parameters):
        return None
    kinds = (VariableKind.PARAMETER,) * len(types)
    return typed.FunctionRef(name.text, tuple(types), kinds, result, False, True, 0, name.span)


def _function(symbol: FunctionSymbol, declaration: syntax.FunctionDeclaration, body: Body) -> typed.Function | None:
    ref = symbol.ref
    body.open_scope()
    parameters: list[typed.Variable] = []
    for index, parameter in enumerate(declaration.parameters):
        name = parameter.name
        earlier = body.scope.names.get(name.text)
        if earlier is not None:
            body.report(errors.duplicate_part(name.span, "parameter", name.text, earlier.span))
            continue
        type = None if ref is None else ref.parameter_types[index]
        kind = VariableKind.PARAMETER if ref is None else ref.parameter_kinds[index]
        variable = body.declare(name.text, name.span, type, kind)
        if variable is not None:
            parameters.append(variable)
    block = statements.open_block(body, declaration.body)
    body.close_scope()
    check_flow(body, block)
    return None if ref is None else typed.Function(ref, tuple(parameters), block)


# The master block


def _masters(checker: Checker, main: SourceFile, masters: list[syntax.MasterDeclaration]) -> typed.Function:
    if not masters:
        end = len(main.data)
        span = Span(main, end, end)
        if not checker.skipped:  # it may be what the parser could not read
            start = checker.globals.functions.get("main")
            checker.report(errors.no_master(span, None if start is None else start.span))
        ref = typed.FunctionRef("master", (), (), VOID, False, False, 0, span)
        return typed.Function(ref, (), typed.Block((), span))
    for extra in masters[1:]:
        checker.report(errors.second_master(extra.span, masters[0].span))
    functions = [_master(checker, master) for master in masters]
    return functions[0]


def _master(checker: Checker, declaration: syntax.MasterDeclaration) -> typed.Function:
    ref = typed.FunctionRef("master", (), (), VOID, False, False, 0, declaration.span)
    body = Body(checker, "master", VOID)
    body.open_scope()
    block = statements.open_block(body, declaration.body)
    body.close_scope()
    check_flow(body, block)
    return typed.Function(ref, (), block)
