/* Parsing and writing addresses, and the default one. */
#include "net/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool parse_path(ms_address *address, const char *path, char message[MS_MESSAGE_MAX])
{
    address->kind = MS_ADDRESS_UNIX;
    size_t size = strlen(path);
    if (size == 0) {
        snprintf(message, MS_MESSAGE_MAX, "the address unix: has no path");
        return false;
    }
    if (size > MS_PATH_MAX) {
        snprintf(message, MS_MESSAGE_MAX, "the path of a socket has at most %d bytes, this one has %zu: %.300s", MS_PATH_MAX, size, path);
        return false;
    }
    memcpy(address->path, path, size + 1);
    return true;
}

static bool parse_port(uint16_t *port, const char *text)
{
    uint32_t value = 0;
    size_t digit_count = strlen(text);
    if (digit_count == 0 || digit_count > 5 || strspn(text, "0123456789") != digit_count)
        return false;
    for (; *text != '\0'; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    *port = (uint16_t)value;
    return value <= 65535;
}

bool ms_address_parse(ms_address *address, const char *text, char message[MS_MESSAGE_MAX])
{
    *address = (ms_address){0};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(address, text + 5, message);
    address->kind = MS_ADDRESS_TCP;
    const char *colon = strrchr(text, ':');
    const char *host = text, *host_end = colon;
    bool bracketed = text[0] == '[';
    if (bracketed) {
        host++;
        host_end = strchr(text, ']');
        if (host_end == NULL || host_end[1] != ':')
            colon = NULL;
        else
            colon = host_end + 1;
    }
    if (colon == NULL || host_end <= host) {
        snprintf(message, MS_MESSAGE_MAX, "\"%.200s\" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT", text);
        return false;
    }
    size_t host_size = (size_t)(host_end - host);
    if (!bracketed && memchr(host, ':', host_size) != NULL) {
        snprintf(message, MS_MESSAGE_MAX, "\"%.200s\": an IPv6 address needs brackets, as in [::1]:4242", text);
        return false;
    }
    if (host_size > MS_HOST_MAX || !parse_port(&address->port, colon + 1)) {
        snprintf(message, MS_MESSAGE_MAX, "\"%.200s\": %s", text,
                 host_size > MS_HOST_MAX ? "the host's name is too long" : "the port is a number from 0 to 65535");
        return false;
    }
    memcpy(address->host, host, host_size);
    return true;
}

void ms_address_format(const ms_address *address, char text[MS_ADDRESS_TEXT_MAX])
{
    if (address->kind == MS_ADDRESS_UNIX)
        snprintf(text, MS_ADDRESS_TEXT_MAX, "unix:%s", address->path);
    else if (strchr(address->host, ':') != NULL)
        snprintf(text, MS_ADDRESS_TEXT_MAX, "[%s]:%u", address->host, address->port);
    else
        snprintf(text, MS_ADDRESS_TEXT_MAX, "%s:%u", address->host, address->port);
}

/* Makes the directory, or sees that the one that is there belongs to us and lets nobody else in. */
static bool own_directory(const char *path, char message[MS_MESSAGE_MAX])
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(message, MS_MESSAGE_MAX, "cannot make the directory %.300s: %s", path, strerror(errno));
        return false;
    }
    struct stat status;
    if (lstat(path, &status) != 0) {
        snprintf(message, MS_MESSAGE_MAX, "cannot look at the directory %.300s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 0077) != 0) {
        snprintf(message, MS_MESSAGE_MAX, "%.300s is not a directory of yours with mode 0700: name another place with an address unix:PATH",
                 path);
        return false;
    }
    return true;
}

bool ms_address_default(ms_address *address, const char *name, char message[MS_MESSAGE_MAX])
{
    char directory[4096], path[8192];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/' && access(runtime, W_OK | X_OK) == 0)
        snprintf(directory, sizeof directory, "%s/ms", runtime);
    else
        snprintf(directory, sizeof directory, "/tmp/ms-%lu", (unsigned long)geteuid());
    *address = (ms_address){0};
    snprintf(path, sizeof path, "%s/%s.sock", directory, name);
    return own_directory(directory, message) && parse_path(address, path, message);
}
