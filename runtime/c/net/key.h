/* Key files: 64 hexadecimal digits, as `msc key` makes them, that nobody else may read. */
#ifndef MS_KEY_H
#define MS_KEY_H

#include "net/secure.h"
#include "net/socket.h"

#define MS_KEY_OR_INSECURE "a key and --insecure contradict each other: say one of them (MS_KEY_FILE and MS_INSECURE count too)"

/* How TCP is to be used. */
static inline ms_protection ms_protection_of(const ms_key *key, bool insecure)
{
    return insecure ? MS_INSECURE : key->known ? MS_KEYED : MS_UNPROTECTED;
}

/* False: `message` says why, and what to do. */
bool ms_key_read(ms_key *key, const char *path, char message[MS_MESSAGE_MAX]);
#endif
