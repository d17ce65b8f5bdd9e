/* From a host's name to socket addresses.
 *
 * Numbers and `localhost` are understood here; for every other name the machine's own `getent` is asked, in a process of its own.
 * Resolving in this process would mean loading the machine's name service modules into a static program, which
 * glibc supports only where the program was linked, and which adds 130 kB to it. */
#ifndef MS_RESOLVE_H
#define MS_RESOLVE_H

#include "net/address.h"

#include <sys/socket.h>

enum { MS_ENDPOINTS_MAX = 8 };

typedef struct ms_endpoint {
    struct sockaddr_storage name;
    socklen_t size;
} ms_endpoint;

/* How many of `endpoints` were filled in, in order of preference; 0: `why` says what is wrong, in a few words. */
int ms_resolve(const char *host, uint16_t port, ms_endpoint endpoints[MS_ENDPOINTS_MAX], const char **why);
/* The number that the endpoint stands for, and its port. */
void ms_endpoint_format(const struct sockaddr *name, char text[MS_ADDRESS_TEXT_MAX]);
#endif
