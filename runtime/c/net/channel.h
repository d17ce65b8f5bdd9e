/* Channels: sockets between processes of this machine that come of one another. Closed on exec, as all are. */
#ifndef MS_CHANNEL_H
#define MS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Two ends of a stream between processes of this machine. False: errno says why. */
bool ms_channel_pair(int ends[2]);
/* The same for whole messages, which may carry a descriptor. They are blocking. */
bool ms_channel_messages(int ends[2]);
/* `carried`: a descriptor that the other process gets a copy of, -1 for none. `wait`: until there is room; else EAGAIN. */
bool ms_channel_send(int descriptor, const void *bytes, size_t size, int carried, bool wait);
/* The size of the next message, 0 at the end, -1 with errno set; EAGAIN when none is there. `carried` as above. */
ssize_t ms_channel_receive(int descriptor, void *bytes, size_t size, int *carried);
#endif
