/* Addresses as people write them: unix:PATH, HOST:PORT, [::1]:PORT. Parsing only; what is there is left to `socket`.
 *
 * An address that could be parsed has a path that fits a socket, or a host without brackets and a port from 0 to 65535. */
#ifndef MS_ADDRESS_H
#define MS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MS_PATH_MAX = 107, /* bytes in the path of a unix socket (sun_path without its NUL) */
    MS_HOST_MAX = 255,
    MS_MESSAGE_MAX = 512 /* room for one line of error */
};

typedef enum ms_address_kind { MS_ADDRESS_UNIX, MS_ADDRESS_TCP } ms_address_kind;

typedef struct ms_address {
    ms_address_kind kind;
    char path[MS_PATH_MAX + 1];
    char host[MS_HOST_MAX + 1];
    uint16_t port;
} ms_address;

enum { MS_ADDRESS_TEXT_MAX = MS_HOST_MAX + 16 };

/* False: `message` holds one line without its end that says what is wrong. */
bool ms_address_parse(ms_address *address, const char *text, char message[MS_MESSAGE_MAX]);
/* As it is written. */
void ms_address_format(const ms_address *address, char text[MS_ADDRESS_TEXT_MAX]);
/* Where both ends of the program `name` meet when nothing was said: $XDG_RUNTIME_DIR/ms/NAME.sock, else /tmp/ms-UID/NAME.sock. The
 * directory is made when missing; it must be ours and closed to others. */
bool ms_address_default(ms_address *address, const char *name, char message[MS_MESSAGE_MAX]);
#endif
