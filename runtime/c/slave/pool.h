/* The pool: jobs in processes of their own (--isolate), in place of the executor's threads.
 *
 * The executor keeps the queue and the way to the master; here stands which worker runs what, and what follows from its frames and from
 * its end. All of it is used on the client's thread, the only one of such a slave, under the executor's lock, which the sending of
 * answers gives up for a while.
 *
 * What always holds: each job that a worker was given is answered once, by the worker, or here when the worker is gone; `busy_count`
 * workers have jobs and do not wait; no worker is believed. */
#ifndef MS_POOL_H
#define MS_POOL_H

#include "core/wire.h"
#include "slave/pristine.h"

typedef struct ms_pool ms_pool;
struct ms_executor;

/* Null: no memory or no descriptors. */
ms_pool *ms_pool_create(struct ms_executor *executor, const ms_pristine *pristine);
void ms_pool_destroy(ms_pool *pool);
/* Becomes readable when there is something to serve. */
int ms_pool_descriptor(const ms_pool *pool);
/* Takes what workers and the pristine process say. Gives the milliseconds until it should be called again, -1 for no need. */
int ms_pool_serve(ms_pool *pool);
/* Hands out what is queued, as far as slots are free. */
void ms_pool_dispatch(ms_pool *pool);
/* Kills the worker that runs this job; all that run one. */
void ms_pool_cancel(ms_pool *pool, uint32_t jid);
void ms_pool_cancel_all(ms_pool *pool);
/* The connection is gone. What the processes hold at the master is gone with it, so those that run a job go too. */
void ms_pool_disconnect(ms_pool *pool);
/* The `result` of a spawned job. False: there can be none. */
bool ms_pool_child_ended(ms_pool *pool, const uint8_t *payload, uint32_t size);
bool ms_pool_runs_nothing(const ms_pool *pool);
/* Jobs that wait for others. */
uint32_t ms_pool_waiting_count(const ms_pool *pool);
#endif
