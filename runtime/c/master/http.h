/* A small, careful answerer of HTTP for --status: GET and HEAD, one request for each connection, on the I/O thread, which it never blocks.
 *
 * What is answered is left to a function that makes pages. A client gets so long, so many bytes and no more; what is not a request is answered
 * with what is wrong, as far as that makes sense, and cut off. Behind a web browser's back nobody gets in by a name of his own for
 * this machine: over TCP the Host must be an address or localhost, unless --insecure says otherwise. */
#ifndef MS_HTTP_H
#define MS_HTTP_H

#include "core/bytes.h"
#include "net/address.h"

#include <stdbool.h>

typedef struct ms_server ms_server;
typedef struct ms_http ms_http;

/* The page under a path: its type, and its text in *body. False: there is none. */
typedef bool (*ms_http_page)(ms_server *server, const char *path, const char **type, ms_bytes *body);

/* Listens, and watches in the poll set. Null: `message` says why; `*wrong` when the address may not be used as it was asked for. */
ms_http *ms_http_create(int poll, const ms_address *address, bool insecure, ms_http_page page, bool *wrong, char message[MS_MESSAGE_MAX]);
/* Where it listens, as it is to be asked for. */
void ms_http_format(const ms_http *http, char text[MS_ADDRESS_TEXT_MAX + 16]);
/* An event of the listening socket (its owner begins with MS_SOURCE_STATUS_DOOR), or of a client (MS_SOURCE_STATUS_CLIENT). */
void ms_http_accept(ms_server *server, ms_http *http);
void ms_http_serve(ms_server *server, void *client);
/* Cuts off those whose time is over; gives when the next one's will be, UINT64_MAX for never. */
uint64_t ms_http_tick(ms_server *server, ms_http *http);
void ms_http_destroy(ms_http *http);
#endif
