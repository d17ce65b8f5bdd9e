"""From LLVM's text to optimised code: the target machine, the pipeline, objects and assembly. The only importer of
llvmlite.

Invariants: code is position-independent, in the small code model and one section; no option here allows the
reordering or contraction of floating point.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ms.diagnostics import InternalError


@dataclass(frozen=True, slots=True)
class Options:
    """How to generate code. `cpu`: "native", one of LLVM's names, or None for what every machine of the target
    has; `triple` None is this machine; `opt_level` is 0 to 3."""

    unchecked: bool = False
    debug: bool = False
    cpu: str | None = None
    opt_level: int = 3
    triple: str | None = None


@cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@cache
def target_machine(options: Options) -> llvm.TargetMachine:
    _initialize()
    triple = options.triple or llvm.get_process_triple()
    cpu, features = options.cpu or "", ""
    if cpu == "native":
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError as error:
        raise InternalError(f"LLVM has no target {triple}: {error}") from error
    return target.create_target_machine(
        cpu=cpu, features=features, opt=options.opt_level, reloc="pic", codemodel="small"
    )


def target_complaint(options: Options) -> str:
    """What LLVM has against the target and the processor, "" for nothing. Of a processor that it does not know it only
    writes on standard error, and compiles for another one."""
    _initialize()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            target_machine(options)
        except InternalError:
            return f"LLVM has no target {options.triple}"
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        said.seek(0)
        is_unknown = b"not a recognized processor" in said.read()
    return f"{triple(options)} has no processor {options.cpu}" if is_unknown else ""


def data_layout(options: Options) -> str:
    return str(target_machine(options).target_data)


def triple(options: Options) -> str:
    return str(target_machine(options).triple)


def _parse(text: str) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM refuses the module: {error}") from error
    return module


def _optimised(text: str, options: Options) -> llvm.ModuleRef:
    _initialize()
    module = _parse(text)
    machine = target_machine(options)
    tuning = llvm.create_pipeline_tuning_options(speed_level=options.opt_level)
    tuning.loop_vectorization = options.opt_level >= 2
    tuning.slp_vectorization = options.opt_level >= 2
    tuning.loop_interleaving = options.opt_level >= 2
    tuning.loop_unrolling = options.opt_level >= 2
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return module


def optimise(text: str, options: Options) -> str:
    """The module's text after LLVM's passes."""
    return str(_optimised(text, options))


def emit_object(text: str, options: Options) -> bytes:
    return bytes(target_machine(options).emit_object(_optimised(text, options)))


def emit_assembly(text: str, options: Options) -> str:
    return str(target_machine(options).emit_assembly(_optimised(text, options)))
