/* Sockets: with channel.c, the only file with socket calls. All are nonblocking and closed on exec.
 *
 * Errors come as one line of text, ready to be printed. */
#ifndef MS_SOCKET_H
#define MS_SOCKET_H

#include "net/address.h"

#include <sys/types.h>
#include <sys/uio.h>

/* A listening socket. For a unix socket the file's identity is kept, so that only our own file is removed in the end. */
typedef struct ms_listener {
    int descriptor;
    ms_address address; /* with the port that the system chose when 0 was asked for */
    dev_t device;
    ino_t inode;
    int descriptor_max; /* connections get none above it: the others are left to the program; 0: no limit */
} ms_listener;

/* How TCP may be used: with a key, without any because the user insists, or on loopback addresses only, for what may be read by anybody on
 * this machine. Over unix sockets the file's permissions decide. */
typedef enum ms_protection { MS_UNPROTECTED, MS_KEYED, MS_INSECURE, MS_LOOPBACK } ms_protection;

/* A socket file whose owner is dead is taken over; one whose owner lives is refused. False: `message` says why; `*wrong` when the
 * address may not be used as it was asked for. */
bool ms_socket_listen(ms_listener *listener, const ms_address *address, ms_protection protection, bool *wrong,
                      char message[MS_MESSAGE_MAX]);
/* Closes it and removes its file. Safe in a signal handler. */
void ms_socket_unlisten(ms_listener *listener);
/* The next connection, or -1 with errno set. `name` becomes the address of the other end ("" for a unix socket). On a unix socket
 * a peer of another user is turned away: then -1 with EPERM. With EMFILE one may have been turned away, too. */
int ms_socket_accept(const ms_listener *listener, char name[MS_ADDRESS_TEXT_MAX]);
/* Whether a connection waits to be accepted. */
bool ms_socket_has_waiting(const ms_listener *listener);
/* Connects, waiting for at most `timeout_ms`. -1: `message` says why; `*wrong` when trying again is of no use. */
int ms_socket_connect(const ms_address *address, ms_protection protection, int timeout_ms, bool *wrong, char message[MS_MESSAGE_MAX]);

/* Like read and writev, never raising SIGPIPE and never interrupted by signals. */
ssize_t ms_socket_read(int descriptor, void *bytes, size_t size);
ssize_t ms_socket_write(int descriptor, const struct iovec *parts, int part_count);
/* The other end will write no more, and all that it wrote has been read. */
bool ms_socket_has_ended(int descriptor);
/* No more will be written; the other end reads what was, then the end. */
void ms_socket_finish(int descriptor);
#endif
