/* The only file with socket calls. */
#include "net/socket.h"
#include "net/crypto.h"
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 /* the system may have a lower limit */, UNIX_BUFFER_SIZE = 1 << 20 };

static struct sockaddr_un unix_name(const ms_address *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, address->path, strlen(address->path));
    return name;
}

static bool fail(char message[MS_MESSAGE_MAX], const ms_address *address, const char *verb, const char *why)
{
    char text[MS_ADDRESS_TEXT_MAX];
    ms_address_format(address, text);
    snprintf(message, MS_MESSAGE_MAX, "cannot %s %s: %s", verb, text, why);
    return false;
}

/* Whether somebody listens behind the socket file that is in the way. */
static bool somebody_listens(const struct sockaddr_un *name)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return true;
    bool alive = connect(probe, (const struct sockaddr *)name, sizeof *name) == 0 || (errno != ECONNREFUSED && errno != ENOENT);
    close(probe);
    return alive;
}

/* The directory of a path, locked, so that of two masters that find the same dead socket only one takes it over. -1 where
 * directories can't be locked: then there is no such protection. */
static int lock_directory(const char *path)
{
    char directory[MS_PATH_MAX + 2] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        memcpy(directory, path, size);
        directory[size] = '\0';
    }
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0 && flock(descriptor, LOCK_EX) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

static bool bind_unix(ms_listener *listener, char message[MS_MESSAGE_MAX])
{
    const ms_address *address = &listener->address;
    struct sockaddr_un name = unix_name(address);
    struct stat status;
    if (lstat(address->path, &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return fail(message, address, "listen on", "there is a file with this name that is not a socket");
        if (somebody_listens(&name))
            return fail(message, address, "listen on", "another master listens there (name another address with --listen)");
        unlink(address->path);
    }
    if (bind(listener->descriptor, (struct sockaddr *)&name, sizeof name) != 0)
        return fail(message, address, "listen on", strerror(errno));
    chmod(address->path, 0600);
    if (listen(listener->descriptor, BACKLOG) != 0 || lstat(address->path, &status) != 0) {
        fail(message, address, "listen on", strerror(errno));
        unlink(address->path);
        return false;
    }
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return true;
}

static bool listen_unix(ms_listener *listener, char message[MS_MESSAGE_MAX])
{
    listener->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->descriptor < 0)
        return fail(message, &listener->address, "listen on", strerror(errno));
    int lock = lock_directory(listener->address.path);
    bool bound = bind_unix(listener, message);
    if (lock >= 0)
        close(lock);
    if (!bound)
        close(listener->descriptor);
    return bound;
}

static bool is_loopback(const struct sockaddr *name)
{
    if (name->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)name)->sin_addr.s_addr) >> 24) == 127;
    if (name->sa_family != AF_INET6)
        return false;
    const struct in6_addr *host = &((const struct sockaddr_in6 *)(const void *)name)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(host) || (IN6_IS_ADDR_V4MAPPED(host) && host->s6_addr[12] == 127);
}

/* Whether TCP may be used so, also on this machine, where other users can reach it. */
static bool may_use_tcp(const ms_address *address, ms_protection protection, const char *verb, char message[MS_MESSAGE_MAX])
{
    if (protection == MS_INSECURE || protection == MS_LOOPBACK || (protection == MS_KEYED && ms_crypto_is_built_in()))
        return true;
    if (ms_crypto_is_built_in())
        return fail(message, address, verb,
                    "over TCP both ends need a key: make one with msc key FILE and give it to both with --key-file FILE (--insecure, on both "
                    "ends, goes without)");
    return fail(message, address, verb,
                "this program was built without encryption: install libsodium-dev, build it again with msc, and give both ends a key with "
                "--key-file FILE (--insecure, on both ends, goes without)");
}

/* The endpoints behind HOST:PORT; 0 with the message filled in. */
static int resolve(const ms_address *address, ms_protection protection, const char *verb, ms_endpoint endpoints[MS_ENDPOINTS_MAX],
                   bool *wrong, char message[MS_MESSAGE_MAX])
{
    const char *why = "";
    *wrong = !may_use_tcp(address, protection, verb, message);
    if (*wrong)
        return 0;
    int count = ms_resolve(address->host, address->port, endpoints, &why);
    if (count == 0)
        fail(message, address, verb, why);
    for (int i = 0; i < count && protection == MS_LOOPBACK; i++)
        if (!is_loopback((const struct sockaddr *)&endpoints[i].name)) {
            *wrong = true;
            fail(message, address, verb, "other machines reach it, and nothing protects it (--insecure allows that)");
            return 0;
        }
    return count;
}

static void set_option(int descriptor, int level, int option, int value)
{
    setsockopt(descriptor, level, option, &value, sizeof value);
}

static uint16_t port_of(int descriptor)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &size) != 0)
        return 0;
    if (name.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&name)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&name)->sin_port);
}

static bool listen_tcp(ms_listener *listener, ms_protection protection, bool *wrong, char message[MS_MESSAGE_MAX])
{
    ms_endpoint endpoints[MS_ENDPOINTS_MAX];
    if (resolve(&listener->address, protection, "listen on", endpoints, wrong, message) == 0)
        return false;
    const struct sockaddr *name = (const struct sockaddr *)&endpoints[0].name;
    listener->descriptor = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool fine = listener->descriptor >= 0;
    if (fine) {
        set_option(listener->descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
        fine = bind(listener->descriptor, name, endpoints[0].size) == 0 && listen(listener->descriptor, BACKLOG) == 0;
    }
    if (!fine) {
        fail(message, &listener->address, "listen on", strerror(errno));
        if (listener->descriptor >= 0)
            close(listener->descriptor);
    } else {
        listener->address.port = port_of(listener->descriptor);
    }
    return fine;
}

bool ms_socket_listen(ms_listener *listener, const ms_address *address, ms_protection protection, bool *wrong,
                      char message[MS_MESSAGE_MAX])
{
    *wrong = false;
    *listener = (ms_listener){.descriptor = -1, .address = *address};
    return address->kind == MS_ADDRESS_UNIX ? listen_unix(listener, message) : listen_tcp(listener, protection, wrong, message);
}

void ms_socket_unlisten(ms_listener *listener)
{
    struct stat status;
    if (listener->descriptor < 0)
        return;
    if (listener->address.kind == MS_ADDRESS_UNIX && lstat(listener->address.path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        unlink(listener->address.path);
    close(listener->descriptor);
    listener->descriptor = -1;
}

/* Over a unix socket only our own user (and root) may be the other end. */
static bool is_own_user(int descriptor)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void prepare(int descriptor, ms_address_kind kind)
{
    if (kind == MS_ADDRESS_UNIX) {
        set_option(descriptor, SOL_SOCKET, SO_SNDBUF, UNIX_BUFFER_SIZE);
    } else {
        set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    }
}

int ms_socket_accept(const ms_listener *listener, char name[MS_ADDRESS_TEXT_MAX])
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int descriptor;
    do
        descriptor = accept4(listener->descriptor, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return -1;
    if (listener->descriptor_max > 0 && descriptor > listener->descriptor_max) {
        close(descriptor);
        errno = EMFILE;
        return -1;
    }
    name[0] = '\0';
    if (listener->address.kind == MS_ADDRESS_UNIX) {
        if (!is_own_user(descriptor)) {
            close(descriptor);
            errno = EPERM;
            return -1;
        }
    } else {
        ms_endpoint_format((struct sockaddr *)&peer, name);
    }
    prepare(descriptor, listener->address.kind);
    return descriptor;
}

bool ms_socket_has_waiting(const ms_listener *listener)
{
    struct pollfd door = {.fd = listener->descriptor, .events = POLLIN};
    return poll(&door, 1, 0) == 1;
}

/* 0, or the errno of a connection that was not made within `timeout_ms`. */
static int connect_within(int descriptor, const struct sockaddr *name, socklen_t size, int timeout_ms)
{
    if (connect(descriptor, name, size) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
    int ready = poll(&wait, 1, timeout_ms);
    if (ready <= 0)
        return ready == 0 ? ETIMEDOUT : errno;
    int error = 0;
    socklen_t error_size = sizeof error;
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_size);
    return error;
}

static int connect_one(int family, const struct sockaddr *name, socklen_t size, int timeout_ms)
{
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    int error = connect_within(descriptor, name, size, timeout_ms);
    if (error == 0)
        return descriptor;
    close(descriptor);
    errno = error;
    return -1;
}

static int connect_unix(const ms_address *address, int timeout_ms, bool *wrong, char message[MS_MESSAGE_MAX])
{
    struct sockaddr_un name = unix_name(address);
    int descriptor = connect_one(AF_UNIX, (struct sockaddr *)&name, sizeof name, timeout_ms);
    if (descriptor < 0) {
        fail(message, address, "connect to", strerror(errno));
    } else if (!is_own_user(descriptor)) {
        fail(message, address, "connect to", "another user listens there");
        *wrong = true;
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
}

int ms_socket_connect(const ms_address *address, ms_protection protection, int timeout_ms, bool *wrong, char message[MS_MESSAGE_MAX])
{
    int descriptor = -1;
    *wrong = false;
    if (address->kind == MS_ADDRESS_UNIX) {
        descriptor = connect_unix(address, timeout_ms, wrong, message);
    } else {
        ms_endpoint endpoints[MS_ENDPOINTS_MAX];
        int count = resolve(address, protection, "connect to", endpoints, wrong, message);
        for (int i = 0; i < count && descriptor < 0; i++) {
            const struct sockaddr *name = (const struct sockaddr *)&endpoints[i].name;
            descriptor = connect_one(name->sa_family, name, endpoints[i].size, timeout_ms);
            if (descriptor < 0)
                fail(message, address, "connect to", strerror(errno));
        }
    }
    if (descriptor >= 0)
        prepare(descriptor, address->kind);
    return descriptor;
}

ssize_t ms_socket_read(int descriptor, void *bytes, size_t size)
{
    ssize_t done;
    do
        done = recv(descriptor, bytes, size, 0);
    while (done < 0 && errno == EINTR);
    return done;
}

ssize_t ms_socket_write(int descriptor, const struct iovec *parts, int part_count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)part_count};
    ssize_t done;
    do
        done = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    return done;
}

bool ms_socket_has_ended(int descriptor)
{
    uint8_t byte;
    return recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void ms_socket_finish(int descriptor)
{
    shutdown(descriptor, SHUT_WR);
}
