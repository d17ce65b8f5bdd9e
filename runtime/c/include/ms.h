/* The ABI of M/s: what compiled programs and the bridge may call, and the constants of the wire.
 *
 * This file is the one place where they are written. `ms/codegen/abi.py` repeats the functions for LLVM and a test holds the
 * two together. It declares only; what each room of the runtime needs from another stands in that room's own header.
 *
 * Conventions
 *  - A `ms_vector` goes in and comes back by value (two registers on x86-64 and AArch64), so that a vector whose address nobody
 *    takes stays in registers. Functions that change a vector take the old one and give the new one; the old must not be used.
 *  - Arguments are borrowed unless a comment says "takes". Results belong to the caller.
 *  - Sizes: `size` is bytes, `count` is elements, `element_size` is bytes for each element.
 *  - A function that fails (§9 of the language) does not return: control leaves at the entry point of the job, or the
 *    program ends. The place is found from the return addresses, so every failing function must be *called*, never jumped
 *    to, and every frame keeps a frame pointer.
 *  - Memory comes from the heap of the job that runs on this thread; the whole heap goes when the job ends, however it ends.
 *  - bool is one byte, 0 or 1. All machines are little-endian and 64-bit. */
#ifndef MS_H
#define MS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MS_ABI_VERSION 1

/* ---- Values ---- */

/* vector<T> and string. `capacity` 0 with `data` not null: static data, owned by nobody (never freed, never written).
 * All zero: the empty vector. A string is not NUL-terminated. At most 2^31 - 1 elements. */
typedef struct ms_vector {
    void *data;
    uint32_t count;
    uint32_t capacity;
} ms_vector;

#define MS_COUNT_MAX 2147483647u

/* map<K, V>: one block, owned by whoever holds the pointer; null: the empty map. Behind the header come mask + 1 slots of 8 bytes, then
 * the entries in the order of insertion, `used` of them: key, hash (4 bytes, 0: removed), value, laid out as in a C struct. Compiled
 * programs read count, used, mask and entries by themselves, write values, and look for numbers, as core/map.c does; all else is
 * core/map's. At most 2^31 - 1 pairs. */
typedef struct ms_map {
    uint32_t count;      /* pairs */
    uint32_t used;       /* entries, removed ones included */
    uint32_t mask;       /* slots - 1; the number of slots is a power of two */
    uint8_t shift;       /* from a hash to its first slot: 32 less the bits of mask */
    uint8_t hash_offset; /* where in an entry its hash lies */
    uint8_t is_seeded;   /* whether the process's seed is in the hashes of strings: not in constant maps and their copies */
    uint8_t unused;
} ms_map;

/* What putting a key in gives: the map, which may have moved, and the key's entry. */
typedef struct ms_map_slot {
    ms_map *map;
    void *entry;
} ms_map_slot;

/* A handle: one reference to a job. Null is "no job". */
typedef struct ms_job ms_job;

typedef enum ms_job_state_value { MS_RUNNING = 0, MS_FINISHED = 1, MS_FAILED = 2 } ms_job_state_value;

/* Encoded values that are being read: the bytes from `at` to `end`. */
typedef struct ms_reader {
    const uint8_t *at;
    const uint8_t *end;
} ms_reader;

/* Where a job's result is encoded to. */
typedef struct ms_result ms_result;

/* ---- The program: made by the code generator as the symbol `ms_program`, read by the runtime ---- */

typedef struct ms_job_type {
    const char *name;
    /* Decodes the arguments, runs the job, encodes the result. False: the bytes are not this job's arguments, whole and exact;
     * then nothing of the program has run. */
    bool (*run)(ms_reader *arguments, ms_result *result);
    /* Appends the arguments as the program would print them ("3, 0") to *text. False as above. Null in a slave. */
    bool (*describe)(ms_reader *arguments, ms_vector *text);
} ms_job_type;

/* One place of the program's text that a return address can belong to. `outer` is the place of the call that was inlined
 * (an index into `places`), -1 for none. */
typedef struct ms_place {
    uint32_t line;
    uint32_t column;
    uint32_t function; /* index into `names` */
    uint32_t file;     /* index into `names` */
    int32_t outer;
} ms_place;

/* From return addresses to places: the code from text + offsets[i] up to text + offsets[i + 1] belongs to place indices[i],
 * or to none when that is -1. `offsets` has range_count + 1 entries, ascending. A large program's text
 * has several parts, each with a table of its own, which begin at `ms_places`. */
typedef struct ms_place_table {
    const uint8_t *text;
    uint32_t text_size;
    uint32_t range_count;
    const uint32_t *offsets;
    const int32_t *indices;
    const ms_place *places;
    const char *const *names;
    uint32_t place_count;
    const struct ms_place_table *next; /* of another part of the program's text; null for the last */
} ms_place_table;

typedef struct ms_program_description {
    uint32_t abi_version; /* MS_ABI_VERSION */
    uint32_t job_count;
    const char *name;          /* "prog", for prog.ms */
    const char *target;        /* the triple it was compiled for */
    uint8_t fingerprint[32];   /* equal for every target, different for any change that could alter a result */
    const ms_job_type *jobs;   /* job with ordinal n at n - 1 */
    void (*master)(void);      /* the master block; null in a slave */
} ms_program_description;

extern const ms_program_description ms_program;
extern const ms_place_table ms_places;

/* ---- Memory ---- */

/* `size` bytes, aligned to 16, not cleared; never null; fails with "out of memory". size > 0. */
void *ms_alloc(uint64_t size);
/* Gives a block of ms_alloc back; `size` is the one it was allocated with. Nothing happens when that is 0, as capacity * element_size
 * is for the empty vector and for static data. */
void ms_free(void *block, uint64_t size);

/* ---- Vectors of any element type (elements are moved as bytes) ---- */

/* Room for at least `count` elements, growing by half or more; static data is copied. Takes v. Fails beyond MS_COUNT_MAX. */
ms_vector ms_vector_grow(ms_vector v, uint64_t count, uint64_t element_size);
/* `count` elements, not cleared, capacity the same (the empty vector for 0). Fails on a negative count and beyond MS_COUNT_MAX. */
ms_vector ms_vector_new(int64_t count, uint64_t element_size);
/* The same, cleared to zero. */
ms_vector ms_vector_zero(int64_t count, uint64_t element_size);
/* `count` elements, of which those beyond v.count are zero. Takes v. Fails like ms_vector_new. When it shrinks, the elements cut
 * off must have been dropped before. */
ms_vector ms_vector_resize(ms_vector v, int64_t count, uint64_t element_size);
/* A copy of the bytes; capacity = count. */
ms_vector ms_vector_copy(ms_vector v, uint64_t element_size);
/* The elements low to high - 1, copied as bytes. Fails unless 0 <= low <= high <= count. */
ms_vector ms_vector_slice(ms_vector v, int64_t low, int64_t high, uint64_t element_size);
/* Checks the bounds of a slice as above. */
void ms_slice_check(int64_t low, int64_t high, int64_t count);
/* left followed by right, copied as bytes. */
ms_vector ms_vector_concat(ms_vector left, ms_vector right, uint64_t element_size);
/* v with the elements of right behind it, copied as bytes. Takes v. right may not be v. */
ms_vector ms_vector_append(ms_vector v, ms_vector right, uint64_t element_size);
/* v with a gap (not cleared) before element `index`. Takes v. Fails unless 0 <= index <= count. */
ms_vector ms_vector_open(ms_vector v, int64_t index, uint64_t element_size);
/* v without element `index`, which has been taken out already. Takes v. Fails unless 0 <= index < count. */
ms_vector ms_vector_close(ms_vector v, int64_t index, uint64_t element_size);

/* Stable ascending sorts in place; NaN counts as larger than every number. */
void ms_sort_int(int32_t *data, uint64_t count);
void ms_sort_long(int64_t *data, uint64_t count);
void ms_sort_double(double *data, uint64_t count);
void ms_sort_float(float *data, uint64_t count);
void ms_sort_char(uint8_t *data, uint64_t count);
void ms_sort_string(ms_vector *data, uint64_t count);
/* Stable, by `less`, which may fail (then the elements are gone with the heap). */
void ms_sort_by(void *data, uint64_t count, uint64_t element_size, bool (*less)(const void *left, const void *right));
void ms_reverse(void *data, uint64_t count, uint64_t element_size);

/* ---- Strings ---- */

/* Negative, 0 or positive, bytewise. */
int32_t ms_string_compare(ms_vector left, ms_vector right);
bool ms_string_equal(ms_vector left, ms_vector right);
/* Index of the first one, -1 for none. An empty piece is found at 0. */
int32_t ms_string_find(ms_vector s, ms_vector piece);
int32_t ms_string_find_char(ms_vector s, uint8_t c);
ms_vector ms_split(ms_vector s, ms_vector separator); /* fails on an empty separator */
ms_vector ms_split_space(ms_vector s);
ms_vector ms_join(ms_vector parts, ms_vector separator);
ms_vector ms_trim(ms_vector s);
/* ASCII letters only. */
ms_vector ms_upper(ms_vector s);
ms_vector ms_lower(ms_vector s);
/* Every `piece`, from the left, none overlapping another, turned into `other`; fails on an empty piece ("empty separator"). */
ms_vector ms_replace(ms_vector s, ms_vector piece, ms_vector other);
bool ms_starts_with(ms_vector s, ms_vector piece);
bool ms_ends_with(ms_vector s, ms_vector piece);
int32_t ms_parse_int(ms_vector s);
int64_t ms_parse_long(ms_vector s);
double ms_parse_double(ms_vector s);
float ms_parse_float(ms_vector s); /* for arg() */
bool ms_parse_bool(ms_vector s); /* for arg() */
uint8_t ms_parse_char(ms_vector s); /* for arg(): exactly one byte */

/* ---- Maps, by the type of their keys; char stands for bool too. `entry_size` is the same for all maps of a type. ---- */

/* The entry of a key; null when there is none. */
void *ms_map_find_char(const ms_map *map, uint8_t key, uint64_t entry_size);
void *ms_map_find_int(const ms_map *map, int32_t key, uint64_t entry_size);
void *ms_map_find_long(const ms_map *map, int64_t key, uint64_t entry_size);
void *ms_map_find_string(const ms_map *map, ms_vector key, uint64_t entry_size);
/* The entry of a key, which is put in behind all others, with a value of zero bytes, when it was missing. Takes the map; takes a string
 * whose capacity is not 0 (it is freed when the key was there) and copies others. */
ms_map_slot ms_map_at_char(ms_map *map, uint8_t key, uint64_t entry_size);
ms_map_slot ms_map_at_int(ms_map *map, int32_t key, uint64_t entry_size);
ms_map_slot ms_map_at_long(ms_map *map, int64_t key, uint64_t entry_size);
ms_map_slot ms_map_at_string(ms_map *map, ms_vector key, uint64_t entry_size);
/* Takes a key out; null when it was not there. Else the entry that it was in: its key and its value are the caller's to drop, before anything
 * else is done to the map. The map stays where it is. */
void *ms_map_take_char(ms_map *map, uint8_t key, uint64_t entry_size);
void *ms_map_take_int(ms_map *map, int32_t key, uint64_t entry_size);
void *ms_map_take_long(ms_map *map, int64_t key, uint64_t entry_size);
void *ms_map_take_string(ms_map *map, ms_vector key, uint64_t entry_size);
/* An empty map with room for `count` pairs. Fails beyond MS_COUNT_MAX. */
ms_map *ms_map_new(uint64_t count, uint64_t entry_size, uint64_t hash_offset);
/* A copy of the bytes, without what was removed. */
ms_map *ms_map_copy(const ms_map *map, uint64_t entry_size);
/* The map without its entries, which have been dropped before. Takes the map. */
ms_map *ms_map_clear(ms_map *map, uint64_t entry_size);
/* Gives the block back; nothing happens for null. */
void ms_map_free(ms_map *map, uint64_t entry_size);

/* ---- Text: what print, write, str and describe put together. Each appends to *text. ---- */

void ms_text_int(ms_vector *text, int32_t value);
void ms_text_long(ms_vector *text, int64_t value);
void ms_text_double(ms_vector *text, double value);
void ms_text_float(ms_vector *text, float value);
void ms_text_bool(ms_vector *text, bool value);
void ms_text_char(ms_vector *text, uint8_t value);
void ms_text_bytes(ms_vector *text, const void *bytes, uint64_t size);
void ms_text_string(ms_vector *text, ms_vector value);
/* In quotes, with escapes: what stands inside vectors, structs and maps. */
void ms_text_quoted_string(ms_vector *text, ms_vector value);
void ms_text_quoted_char(ms_vector *text, uint8_t value);
void ms_text_state(ms_vector *text, int32_t state);
/* "job<int> running" or "no job"; `type` is "job<int>". */
void ms_text_job(ms_vector *text, ms_job *job, const char *type);
/* With `digits` (0 to 500) digits after the point, correctly rounded; without a point when that is 0. */
void ms_text_fixed(ms_vector *text, double value, int32_t digits);
void ms_text_hex(ms_vector *text, uint64_t value);
/* Makes what stands from byte `start` on at least `width` bytes wide: '<' puts it to the left, '>' to the right, '0' puts zeros between
 * its sign and its digits. */
void ms_text_pad(ms_vector *text, uint32_t start, int32_t width, uint8_t way);

/* An empty text to build in (this thread's own, reused), and what it holds written to stream 1 (standard output) or 2. Nothing of
 * the program runs between the two. */
ms_vector *ms_print_begin(void);
void ms_print_end(int32_t stream);

/* ---- Failing ---- */

_Noreturn void ms_fail(ms_vector message);
_Noreturn void ms_fail_index(int64_t index, int64_t count); /* "index 5 out of range, the size is 3" */
_Noreturn void ms_fail_int_index(int32_t index, int32_t count);
_Noreturn void ms_fail_division(void);                       /* "division by zero" */
_Noreturn void ms_fail_convert(double value, const char *type); /* "cannot convert 1e+30 to int" */
_Noreturn void ms_fail_convert_float(float value, const char *type);
_Noreturn void ms_fail_empty(const char *function);          /* "pop of an empty vector" */
_Noreturn void ms_fail_bound(int32_t bound);                 /* "next_int wants a positive bound, not 0" */

/* "no such key: 5", and as it prints for the other types */
_Noreturn void ms_fail_key_long(int64_t key);
_Noreturn void ms_fail_key_char(uint8_t key);
_Noreturn void ms_fail_key_bool(bool key);
_Noreturn void ms_fail_key_string(ms_vector key);

/* ---- Jobs ---- */

/* A new job with `size` bytes of arguments, which the caller encodes to *arguments before ms_remote_start; the reference goes
 * to the caller. Fails when size is beyond the limit on payloads ("arguments of 5000000000 bytes, the limit is 4294967295"). */
ms_job *ms_remote_new(uint32_t ordinal, uint64_t size, uint8_t **arguments);
/* Before ms_remote_start: the encoded result of `dependency` belongs into the arguments, in front of the byte at `offset` of those
 * given to ms_remote_new. Holes are given in the order of their offsets. The job starts when all its dependencies have
 * finished; when one has failed it fails with that one's message and story. Keeps a reference of its own. Fails with "no job". */
void ms_remote_hole(ms_job *job, uint64_t offset, ms_job *dependency);
/* Before ms_remote_start, in the order of the arguments, holes included: encodes a vector of scalars that takes MS_PART_MIN bytes or more
 * to `at`, and gives the address behind it; or the job shares that encoding with others, as a part of its arguments that stands at `at`,
 * which is given back. `place` tells the parameters of a function, or their fields, apart. `known` is null, or in a loop the place of a 0
 * from which the runtime knows in the next round that the value is the same. */
uint8_t *ms_remote_block(ms_job *job, uint8_t *at, const void *data, uint32_t count, uint64_t element_size, uint32_t place, uint64_t *known);
/* The same for any other value of that size, which has been encoded from `from` to `to`: gives `to`, or `from` when it is shared. */
uint8_t *ms_remote_part(ms_job *job, uint8_t *from, uint8_t *to, uint32_t place, uint64_t *known);
/* Hands it to the scheduler; under --local runs it here. Never blocks on a slave. */
void ms_remote_start(ms_job *job);
/* Waits; the result's bytes, which stay as long as the caller holds a reference. A failed job fails the caller. */
ms_reader ms_job_get(ms_job *job);
int32_t ms_job_state(ms_job *job);
int32_t ms_job_wait(ms_job *job);
int32_t ms_job_wait_for(ms_job *job, double seconds);
void ms_job_cancel(ms_job *job);
ms_vector ms_job_error(ms_job *job);
ms_vector ms_job_story(ms_job *job);
int32_t ms_jobs_any(ms_vector jobs);
int32_t ms_jobs_any_for(ms_vector jobs, double seconds);
/* For `completed(js)`: waits for the next of `jobs` to end that is not marked in `seen` (one byte, 0 or 1, for each job), marks it, and
 * gives its index; those that have ended come in the order in which they did. -1 when all are marked. */
int32_t ms_jobs_next(ms_vector jobs, uint8_t *seen);
/* `reduce g`: a job that combines the results of `jobs`, in their order, by the job function `ordinal`, as a tree. One job: another
 * reference to it. None: a failed job, "nothing to reduce". */
ms_job *ms_jobs_reduce(uint32_t ordinal, ms_vector jobs);
/* A tail job: the job that runs here ends, and its result will be that of `job` (whose reference it takes). Nothing of the task's
 * own is left by then. `job` comes from ms_remote_new and has not been started: that is done here, so that under --local a chain of
 * tail jobs does not pile up. */
_Noreturn void ms_remote_tail(ms_job *job);
/* One reference more, one less; both do nothing for null. */
void ms_job_retain(ms_job *job);
void ms_job_release(ms_job *job);
/* In a job on a slave, which does not know them: 0, and the slots of that slave. */
int32_t ms_slaves(void);
int32_t ms_slots(void);

/* ---- Encoded values ---- */

/* The next vector of scalars: its count, then its bytes as a block. False when the bytes do not hold that. */
bool ms_read_block(ms_reader *reader, uint64_t element_size, ms_vector *v);
/* The count of the next vector whose elements take at least `minimum_size` > 0 encoded bytes each. False as above. */
bool ms_read_count(ms_reader *reader, uint64_t minimum_size, uint32_t *count);
/* Where to encode a result of `size` bytes to. Fails beyond the limit on payloads. */
uint8_t *ms_result_reserve(ms_result *result, uint64_t size);
/* The whole result is a vector of scalars. Takes v: a large one is sent from where it lies. Fails as above. */
void ms_result_vector(ms_result *result, ms_vector v, uint64_t element_size);

/* ---- World ---- */

ms_vector ms_args(void);
/* Word `index` after --, borrowed, in *word; false when there are fewer. Fails on a negative index. */
bool ms_arg(int64_t index, ms_vector *word);
_Noreturn void ms_exit(int32_t status);
ms_vector ms_env(ms_vector name);
double ms_time(void);
double ms_clock(void);
void ms_sleep(double seconds);
ms_vector ms_host(void);
ms_vector ms_read_file(ms_vector path);
ms_vector ms_read_file_part(ms_vector path, int64_t low, int64_t high);
void ms_write_file(ms_vector path, ms_vector text);
void ms_append_file(ms_vector path, ms_vector text);
ms_vector ms_read_lines(ms_vector path);
int64_t ms_file_size(ms_vector path);
bool ms_file_exists(ms_vector path);
ms_vector ms_list_dir(ms_vector path);
/* The next line of standard input without its end, the empty string at the end; whether the end has come. Both wait for input. */
ms_vector ms_read_line(void);
bool ms_at_end(void);
/* `struct exec_result`. `code` is the exit status, or 128 + the number of the signal that ended the program. */
typedef struct ms_exec_result {
    int32_t code;
    ms_vector out;
    ms_vector err;
} ms_exec_result;
/* Runs the program argv[0], found on PATH, feeds it `input` and waits for its end. Fails when it cannot be started. */
void ms_exec(ms_vector argv, ms_vector input, ms_exec_result *result);

/* ---- The wire ---- */

/* Every message: three little-endian 32-bit integers [ordinal, jid, length], then `length` bytes. */
#define MS_HEADER_SIZE 12
#define MS_PROTOCOL_VERSION 2
#define MS_HELLO_MAGIC "M/s!"

/* ordinal 0: a control message; its kind stands in the jid field. */
typedef enum ms_control {
    MS_HELLO = 1,    /* slave → master: who it is */
    MS_WELCOME = 2,  /* master → slave: it may work */
    MS_REFUSE = 3,   /* master → slave: a sentence for people; then the connection is closed */
    MS_PING = 4,     /* either way; the payload comes back in the pong */
    MS_PONG = 5,
    MS_CANCEL = 6,   /* master → slave: jid (4 bytes); slave → master: the number (4) of a job that it has spawned */
    MS_RECALL = 7,   /* master → slave: give back those of the jobs with these jids (4 each) that have not begun */
    MS_RECALLED = 8, /* slave → master: jids (4 each) of jobs that it has not begun and gives back; one answers each recall */
    MS_BYE = 9,      /* either way: no more work from here; the slave goes when its jobs have ended */
    MS_SPAWN = 10,   /* slave → master: a job of its own: see below */
    MS_RESULT = 11,  /* master → slave: how a spawned job ended: see below */
    MS_OUTPUT = 12,  /* slave → master: jid (4), stream (1), the bytes of whole lines */
    MS_LENT = 13,    /* slave → master: the job with this jid (4) waits, its slot is free */
    MS_REGAINED = 14, /* slave → master: it goes on (4) */
    MS_RELEASE = 15, /* slave → master: numbers (4 each) of spawned jobs that it holds no handles of any more */
    MS_BLOB = 16,    /* master → slave: bytes that are to be kept; blobs are numbered from 1 as they come on a connection */
    MS_RUN = 17,     /* master → slave: a job whose arguments lie partly in blobs: see below */
    MS_FORGET = 18,  /* master → slave: numbers (4 each) of blobs that are not needed any more */
    MS_OFFER = 19,   /* slave → master, once, after it has come back: the number (4) of jobs that have ended there, their jids (4 each), then the
                      * jids of those that go on; master → slave: the jids (4 each) of those that are its own again */
    MS_CLOCK = 20, /* master → slave: what time it is (8); from now on the slave says when jobs ran. slave → master: that (8), its own clock (8) */
    MS_TIMED = 21, /* slave → master, before an answer: when its job ran: see below */
    MS_CRASHED = 24, /* slave → master: the process that ran the job with this jid (4) died; of what, in a few words */
    MS_TOOK = 25 /* slave → master: jobs of this ordinal (4), so many (4), have taken so many nanoseconds (8) together */
} ms_control;

/* A spawn: the parent's jid (4), the child's number (4), its ordinal (4), flags (4), the number of holes (4), for each hole, in order, the
 * offset (4) before which it stands and the number (4) of the job whose result fills it; then the arguments without the holes. The
 * slave chooses the number; it is in use until the job's result has come and it has been released. With MS_SPAWN_TAIL the parent
 * ends, and the child's end will be its end; the number means nothing then. */
#define MS_SPAWN_HEAD_SIZE 20
#define MS_SPAWN_HOLE_SIZE 8
#define MS_SPAWN_TAIL 1u

/* A run: the jid (4), the ordinal (4), the number of parts (4), for each part, in order, the offset (4) before which it stands and the number
 * (4) of the blob that it is; then the arguments without the parts. Values of MS_PART_MIN bytes and more may become parts. */
#define MS_RUN_HEAD_SIZE 12
#define MS_RUN_PART_SIZE 8
#define MS_PART_MIN 65536

/* A result: the child's number (4), how it ended (4); then, when it has finished, the result's bytes, and when it has failed, the size
 * of the name of the slave where it failed (4), the name, and the payload of the failure. Each spawned job has one. */
#define MS_RESULT_HEAD_SIZE 8
typedef enum ms_result_outcome { MS_RESULT_FINISHED = 1, MS_RESULT_FAILED = 2, MS_RESULT_CANCELLED = 3 } ms_result_outcome;

/* A timed, once a `clock` has asked for it: the jid (4) of the job that is answered next, the lane (4) that it ran in, when it began (8) and
 * ended (8); for each time that it lent its slot, from when (8) to when (8). A lane holds one job at a time; the lowest that is free is
 * taken, so jobs that wait for none need no more lanes than there are slots. Times are nanoseconds of the slave's own clock. */
#define MS_TIMED_HEAD_SIZE 24
#define MS_TIMED_WAIT_SIZE 16
#define MS_TIMED_WAITS_MAX 1024 /* of further ones nothing is said */
#define MS_LANE_MAX 131071
#define MS_TOOK_SIZE 16

/* The payload of a failure (ordinal -n): the size of the message (4 bytes), the message ("division by zero"), then the story: lines
 * "prog.ms:8:16 in area: division by zero", "prog.ms:14:9 in shape", innermost first, separated by newlines, with none at the end. */

#ifdef __cplusplus
}
#endif
#endif
