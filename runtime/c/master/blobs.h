/* Blobs: large parts of arguments that several jobs have in common, one copy each.
 *
 * Theory of operation. A value of MS_PART_MIN bytes or more that a job is given may have been given to another job before. It is looked
 * for by its size and a hash of some of its bytes, and then compared, byte for byte, with those blobs that have the same, so nothing that
 * differs is ever taken for equal. What is not found either becomes a blob, which costs a copy, or stays a plain part of the job's own
 * arguments, which costs nothing: that depends on the place where it was given (the parameter of a function). A place where values come
 * again makes each new one a blob; one where the last ones were of no use compares and makes none until it sees a hash that it has seen
 * lately, and then ever more rarely, as long as what has the same hash differs nevertheless.
 *
 * A blob lives as long as a job refers to it, bytes of it are to be sent, or it is kept. Blobs are kept because slaves hold them, and a value
 * may come back when the jobs that had it have ended; the ones that were used last, up to `size_max` bytes. The I/O thread, which knows
 * what slaves hold (holdings.c), decides when the oldest is kept no longer.
 *
 * One lock guards the references, the table and the list of those that are kept. A blob's bytes never change. */
#ifndef MS_BLOBS_H
#define MS_BLOBS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ms_holding;

typedef struct ms_blob {
    struct ms_blobs *home;
    uint64_t key; /* of its size and some of its bytes */
    uint64_t id;  /* no other blob has had it */
    uint32_t size;
    uint32_t references; /* the one for being kept included */
    bool kept;
    struct ms_blob *next;          /* in the table */
    struct ms_blob *newer, *older; /* of those that are kept */
    struct ms_holding *holdings;   /* the I/O thread's (holdings.c); only one that is kept has any */
    uint8_t *bytes;                /* as they go over the wire: a count, and what is counted */
    struct ms_blob **lent_to;      /* of one whose bytes are somebody else's, and who knows it there; else null */
    void (*release)(void *owner);
    void *owner;
    uint8_t room[];
} ms_blob;

enum { MS_BLOB_HABITS = 256, MS_BLOB_GHOSTS = 256 };

/* What values at one place of one function have been like; places may share one. */
typedef struct ms_blob_habit {
    uint16_t trust;    /* so many new values become blobs, unless one of them is found again */
    uint16_t patience; /* without trust, so many familiar hashes must come before one is looked for again */
    uint16_t familiar;
} ms_blob_habit;

typedef struct ms_blobs {
    pthread_mutex_t lock;
    ms_blob **table; /* by key; its capacity is a power of two */
    uint32_t capacity, count;
    ms_blob *newest, *oldest; /* of those that are kept */
    uint64_t kept_size, size_max;
    uint64_t last_id;
    ms_blob_habit habits[MS_BLOB_HABITS];
    uint64_t ghosts[MS_BLOB_GHOSTS]; /* hashes that came lately, at their places */
} ms_blobs;

/* `size_max` 0: there are no blobs. */
void ms_blobs_init(ms_blobs *blobs, uint64_t size_max);
/* Frees those that are kept; the others go with their last reference, which must be before this memory does. */
void ms_blobs_end(ms_blobs *blobs);
/* What is to be given to a job: `size` bytes, with `count` in front. `place` is any number that is the same for what is given in the same
 * place. Gives the blob with a reference for the caller; null: it is to go as it is. `known` is as in ms.h. */
ms_blob *ms_blobs_share(ms_blobs *blobs, uint32_t place, uint32_t count, const void *bytes, uint64_t size, uint64_t *known);
/* A blob made of bytes that lie elsewhere, until `release(owner)`. It is in no table: `*lent_to`, which is null before, leads to it as long as it
 * lives. With a reference for the caller. Null: no memory. */
ms_blob *ms_blobs_lend(ms_blobs *blobs, ms_blob **lent_to, uint8_t *bytes, uint32_t size, void (*release)(void *owner), void *owner);
/* That one, with another reference; null when there is none. */
ms_blob *ms_blobs_lent(ms_blobs *blobs, ms_blob **lent_to);
void ms_blob_hold(ms_blob *blob);
void ms_blob_drop(ms_blob *blob);
/* It is kept, as the one that was used last. */
void ms_blob_keep(ms_blob *blob);
/* The oldest of those that are kept when they are too many, with the reference that it was kept by: the caller drops it. Null: they are not. */
ms_blob *ms_blobs_surplus(ms_blobs *blobs);
#endif
