/* The numbers of spawned jobs on their way between workers and the master.
 *
 * Each worker numbers its own from 1, and the master knows one row of numbers for the whole slave. Here stands which is which. A number
 * is in use until its result has come and it has been released; what a dead worker held is released in its place. With a connection all its
 * numbers end: what was to come of them is made up, and what workers still say of them goes no further. */
#ifndef MS_RELAY_H
#define MS_RELAY_H

#include "slave/free_numbers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ms_relayed {
    void *worker;    /* null: it is gone, or the number is free */
    uint32_t number; /* the worker's */
    bool used, answered, released;
    bool unknown; /* to the master of the connection that there is now */
} ms_relayed;

typedef struct ms_relay {
    ms_relayed *table; /* by the slave's number; 0 is nobody's */
    ms_free_numbers free_numbers;
} ms_relay;

/* The slave's numbers by those of one worker; 0: not in use. */
typedef struct ms_numbers {
    uint32_t *table;
    uint32_t capacity;
} ms_numbers;

void ms_relay_free(ms_relay *relay);
void ms_numbers_free(ms_numbers *numbers);
/* A new pair; gives the slave's number. 0: the worker's is in use, or out of all proportion, or there is no memory. */
uint32_t ms_relay_add(ms_relay *relay, ms_numbers *numbers, void *worker, uint32_t own);
/* Whether the master knows it. */
bool ms_relay_is_known(const ms_relay *relay, uint32_t number);
/* The connection is gone: calls `end` for each number whose result will not come, which is then as if it had come. */
void ms_relay_disconnect(ms_relay *relay, void (*end)(void *context, uint32_t number), void *context);
/* The slave's number for one that the worker may name: not released. 0: there is none. */
uint32_t ms_relay_find(const ms_relay *relay, const ms_numbers *numbers, uint32_t own);
/* The worker lets go of it. */
void ms_relay_release(ms_relay *relay, ms_numbers *numbers, uint32_t number);
/* The result has come: `*worker` is to get it under its number `*own`, null when it is gone. False: no result was to come. */
bool ms_relay_answer(ms_relay *relay, uint32_t number, void **worker, uint32_t *own);
/* After ms_relay_answer, when the worker has been given the result. */
void ms_relay_settle(ms_relay *relay, ms_numbers *numbers, uint32_t number);
/* The worker is gone; calls `release` for each number that it had not released. */
void ms_relay_orphan(ms_relay *relay, ms_numbers *numbers, void (*release)(void *context, uint32_t number), void *context);
#endif
