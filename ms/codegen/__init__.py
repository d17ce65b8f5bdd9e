"""The code generator: an owned program becomes LLVM's text, an optimised object or assembly.

This file is the door: what lies behind it is for nobody else to import, but for `places.py`, which reads finished
objects.
"""

from __future__ import annotations

from ms.codegen import changes, references
from ms.codegen.emitter import Module
from ms.codegen.frame import Unit
from ms.codegen.functions import Role, make_unit, program_parts, program_text
from ms.codegen.optimise import Options, data_layout, emit_assembly, emit_object, optimise, target_complaint, triple
from ms.codegen.parts import Part, Parts
from ms.typed import Program

LARGE = 10_000
"""How many nodes the tree of a program has that is compiled in parts."""

__all__ = [
    "Options", "Part", "Parts", "Role", "emit_assembly", "emit_object", "generate", "generate_parts", "is_large",
    "optimise", "target_complaint",
]


def generate(program: Program, role: Role, fingerprint: bytes, options: Options) -> str:
    """The LLVM text of one of the two programs. `program` comes from `ownership.own`; `fingerprint` is 32 bytes."""
    program = references.decided(program)
    return program_text(_unit(program, options), program, role, fingerprint)


def generate_parts(program: Program, fingerprint: bytes, options: Options) -> Parts:
    """Both programs, with what they share only once."""
    program = references.decided(program)
    return program_parts(_unit(program, options), program, fingerprint)


def is_large(program: Program) -> bool:
    """Whether it is worth dividing."""
    bodies = (function.body for function in (*program.functions, program.master))
    return any(count >= LARGE for count, _ in enumerate(changes.walk(bodies)))


def _unit(program: Program, options: Options) -> Unit:
    module = Module(triple(options), data_layout(options))
    return make_unit(
        program, module, unchecked=options.unchecked, debug=options.debug, optimized=options.opt_level > 0
    )
