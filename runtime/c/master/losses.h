/* What became of the attempts of a job that were lost, and what its program is told when there are no more.
 *
 * Of an attempt whose slave is lost nothing is kept but the count; of one that took only a worker along (--isolate), a line. */
#ifndef MS_LOSSES_H
#define MS_LOSSES_H

#include "master/peer.h"

/* A worker of this slave died while it ran the job. Before the scheduler is told. */
void ms_loss_note(ms_job *job, const char *slave, const void *cause, uint32_t cause_size);
/* Why the job has failed: "lost 3 workers: SIGSEGV", with a line for each as its story. Null: no worker was among what it lost (or
 * there is no memory), and the counts say it all. */
ms_failure *ms_loss_failure(const ms_job *job);
/* A line in the log for that worker, once the scheduler has been told, as long as there are few; null: time has passed. */
void ms_loss_log(ms_server *server, const ms_peer *peer, const ms_job *job, const void *cause, uint32_t cause_size);
#endif
