"""Compiles a program's jobs to two objects, for what is linked by hand.

    python tests/program_objects.py PROGRAM.ms CODE.o PLACES.o
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from job_programs import owned_program

from ms import codegen
from ms.codegen import places


def main() -> None:
    source, code_path, places_path = map(Path, sys.argv[1:])
    options = codegen.Options()
    program = owned_program(source.read_text(), source.name)
    code = codegen.emit_object(codegen.generate(program, codegen.Role.SLAVE, bytes(32), options), options)
    code_path.write_bytes(code)
    places_path.write_bytes(codegen.emit_object(places.place_module(places.place_table(code)), options))


if __name__ == "__main__":
    main()
