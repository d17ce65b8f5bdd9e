"""The code generator: an owned program becomes LLVM's text, an optimised object or assembly.

This file is the door: what lies behind it is for nobody else to import, but for `places.py`, which reads finished
objects.
"""

from __future__ import annotations

from ms.codegen.emitter import Module
from ms.codegen.functions import Role, make_unit, program_text
from ms.codegen.optimise import Options, data_layout, emit_assembly, emit_object, optimise, target_complaint, triple
from ms.typed import Program

__all__ = ["Options", "Role", "emit_assembly", "emit_object", "generate", "optimise", "target_complaint"]


def generate(program: Program, role: Role, fingerprint: bytes, options: Options) -> str:
    """The LLVM text of one of the two programs. `program` comes from `ownership.own`; `fingerprint` is 32 bytes."""
    module = Module(triple(options), data_layout(options))
    unit = make_unit(
        program, module, unchecked=options.unchecked, debug=options.debug, optimized=options.opt_level > 0
    )
    return program_text(unit, program, role, fingerprint)
