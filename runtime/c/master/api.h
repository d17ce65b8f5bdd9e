/* What the program calls about jobs (ms.h), from inside. */
#ifndef MS_API_H
#define MS_API_H

#include "master/server.h"

/* Once, before the master block runs; `server` null: --local, each remote call runs at once in place. */
void ms_api_setup(ms_server *server, ms_job_pool *pool, uint32_t lost_max, struct ms_watch *watch);
void ms_api_end(void);
#endif
