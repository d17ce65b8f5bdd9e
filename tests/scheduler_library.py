"""The scheduler of the master as a library that tests drive through cffi: what it consists of, and its declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cffi
from c_tools import build_library

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"
SOURCES = (
    "bitset", "scheduler", "recall", "orphans", "placement", "endings", "attempts", "pending", "measure", "relations",
    "jobs", "parts", "blobs",
)  # fmt: skip

DECLARATIONS = """
typedef struct ms_job {
    uint32_t references, state, ordinal, arguments_size, result_size, jid;
    struct ms_job *next, *previous;
    uint64_t end_number;
    uint32_t slave;
    uint8_t lost_count;
    bool lent;
    uint8_t place, cause;
    void *end;
    uint8_t room[56];
    struct ms_relations *relations;
} ms_job;
typedef struct ms_hole { ms_job *dependency, *owner; struct ms_hole *next, **link; uint32_t offset; } ms_hole;
typedef struct ms_relations {
    ms_hole *holes;
    uint32_t hole_count, hole_capacity, missing_count, depth;
    ms_hole *waiting;
    bool spawned, finished;
    ms_job *parent, *first_child, *older_sibling, *younger_sibling;
    ...;
} ms_relations;
bool ms_job_add_hole(ms_job *job, uint32_t offset, ms_job *dependency);
typedef struct ms_job_pool { ms_job *free, *returned; void *slabs, *home; } ms_job_pool;
void ms_job_drop_holes(ms_job_pool *pool, ms_job *job, bool owner);
ms_job *ms_job_create(ms_job_pool *pool, uint32_t ordinal, uint32_t arguments_size);
void ms_job_drop(ms_job_pool *pool, ms_job *job, bool owner);
void ms_job_pool_destroy(ms_job_pool *pool);

typedef struct ms_action { int kind; int end; uint32_t slave; uint32_t jid; ms_job *job, *source; } ms_action;
typedef struct ms_job_list { ms_job *first, *last; } ms_job_list;
typedef struct ms_pending {
    ms_job *first;
    uint32_t deepest;
    uint64_t words, bits[64];
    ms_job_list lists[4096];
} ms_pending;
typedef struct ms_slave {
    uint32_t slots, inflight, given_up, suspects, lent, alone;
    bool leaving, reserved, dropped, isolates, full, recalling, stalled, returning;
    ms_job_list jobs;
    uint64_t load_ns, heard_at, pinged_at, batch_since, batch_at, batch_came;
    uint32_t batch_count, batch_busy, batch_ordinal, batch_inflight;
    uint8_t sets;
    bool idled, stuffed;
    uint32_t given_up_jid_count, given_up_jid_capacity, *given_up_jids;
    uint64_t recalled_at;
    uint8_t identity[16];
} ms_slave;
typedef struct ms_scheduler {
    ms_action *actions;
    uint32_t action_count, action_capacity;
    ms_slave *slaves;
    uint32_t slave_capacity, slave_count, slot_count, queue_max, rotor, reserved;
    bool saturated;
    ms_pending pending;
    ms_job_list alone, ending;
    uint64_t pending_count, running_count, waiting_count, look_at, looked_at;
    uint32_t recall_rotor, absent_capacity, orphan_count;
    ...;
} ms_scheduler;
ms_scheduler *ms_scheduler_create(uint32_t job_count, uint32_t lost_max, uint64_t heartbeat_ns);
void ms_scheduler_destroy(ms_scheduler *scheduler);
void ms_scheduler_submit(ms_scheduler *scheduler, ms_job *job, uint64_t now);
void ms_scheduler_admit(ms_scheduler *scheduler, ms_job *job);
bool ms_scheduler_pump(ms_scheduler *scheduler, uint64_t now);
void ms_scheduler_cancel(ms_scheduler *scheduler, ms_job *job, uint64_t now);
uint32_t ms_scheduler_join(ms_scheduler *scheduler, uint32_t slots, uint64_t now);
void ms_scheduler_identify(ms_scheduler *scheduler, uint32_t slave, const uint8_t *identity);
uint32_t ms_scheduler_return(ms_scheduler *scheduler, uint32_t slots, const uint8_t *identity, uint64_t now);
int ms_scheduler_offer(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, bool ended, uint64_t now);
void ms_scheduler_offered(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_heard(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_leaving(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_dropping(ms_scheduler *scheduler, uint32_t slave);
uint32_t ms_scheduler_lost(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
int ms_scheduler_answer(ms_scheduler *scheduler, uint32_t slave, int32_t ordinal, uint32_t jid, uint64_t now);
int ms_scheduler_crashed(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
int ms_scheduler_give_back(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
int ms_scheduler_spawn(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *job, uint64_t now);
int ms_scheduler_tail(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *next, uint64_t now);
int ms_scheduler_lent(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
int ms_scheduler_regained(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
void ms_scheduler_unsent(ms_scheduler *scheduler, ms_job *job, uint64_t now);
int ms_scheduler_attempt(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
void ms_scheduler_recalled(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_look(ms_scheduler *scheduler, uint64_t now);
void ms_measure_told(ms_scheduler *scheduler, uint32_t ordinal, uint32_t count, uint64_t ns);
void ms_scheduler_tick(ms_scheduler *scheduler, uint64_t now);
"""


def build(path: Path) -> tuple[Any, Any]:
    """Makes the library; (ffi, lib)."""
    master = [RUNTIME / "master" / f"{name}.c" for name in SOURCES]
    sources = [*master, *(RUNTIME / "core" / f"{name}.c" for name in ("bytes", "wire", "payload", "blocks"))]
    build_library(path, sources)
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS.replace("    ...;\n", ""))
    assert ffi.sizeof("ms_job") == 128
    return ffi, ffi.dlopen(str(path))
