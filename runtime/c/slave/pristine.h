/* The pristine process: forked before anything else happens, so that what is forked from it starts from one thread and no secrets.
 *
 * It has nothing but one end of a channel to the slave. Over that it is handed the socket of each worker that it is to fork, told which
 * to kill, and says how each of them ended. It alone signals workers, by ids that it looks up among those that it has not reaped, so no
 * process is hit that has got the number of a dead one. A worker is a process group of its own, which goes as a whole, with what jobs
 * have started by `exec`.
 *
 * What always holds: when the slave is gone, however it went, so is the pristine process, and all workers with it. */
#ifndef MS_PRISTINE_H
#define MS_PRISTINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ms_pristine {
    int channel;
    pid_t pid;
} ms_pristine;

/* How a worker ended. */
typedef struct ms_report {
    uint32_t id;
    int32_t status; /* as waitpid gives it */
    int32_t error;  /* an errno: it could not be forked. 0 otherwise */
} ms_report;

typedef enum ms_report_state { MS_REPORT_HERE, MS_REPORT_NONE, MS_REPORT_END /* the pristine process is gone */ } ms_report_state;

/* Before any thread is made and any signal is caught. Workers call work(descriptor, context), which does not return. False: errno. */
bool ms_pristine_start(ms_pristine *pristine, void (*work)(int descriptor, const void *context), const void *context);
/* Forks a worker that gets the descriptor; ours is closed here. False: it could not even be asked for. */
bool ms_pristine_fork(const ms_pristine *pristine, uint32_t id, int descriptor);
/* Nothing happens when it has ended. */
void ms_pristine_kill(const ms_pristine *pristine, uint32_t id);
ms_report_state ms_pristine_next(const ms_pristine *pristine, ms_report *report);
/* Kills all workers that are left, and waits until they are gone. */
void ms_pristine_end(ms_pristine *pristine);
#endif
