/* Pairs of sockets, and descriptors that go with messages. */
#include "net/channel.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum { BUFFER_SIZE = 1 << 20 };

bool ms_channel_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    int size = BUFFER_SIZE;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return true;
}

bool ms_channel_messages(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

/* Room for one descriptor beside a message, aligned as the system wants it. */
typedef union carrier {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
} carrier;

bool ms_channel_send(int descriptor, const void *bytes, size_t size, int carried, bool wait)
{
    carrier room = {.header = {0}};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (carried >= 0) {
        message.msg_control = room.bytes;
        message.msg_controllen = sizeof room.bytes;
        room.header.cmsg_level = SOL_SOCKET;
        room.header.cmsg_type = SCM_RIGHTS;
        room.header.cmsg_len = CMSG_LEN(sizeof carried);
        memcpy(CMSG_DATA(&room.header), &carried, sizeof carried);
    }
    ssize_t done;
    do
        done = sendmsg(descriptor, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    while (done < 0 && errno == EINTR);
    return done == (ssize_t)size;
}

ssize_t ms_channel_receive(int descriptor, void *bytes, size_t size, int *carried)
{
    carrier room;
    struct iovec part = {bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes};
    ssize_t done;
    do
        done = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (done < 0 && errno == EINTR);
    *carried = -1;
    if (done > 0 && message.msg_controllen >= CMSG_LEN(sizeof *carried) && room.header.cmsg_type == SCM_RIGHTS)
        memcpy(carried, CMSG_DATA(&room.header), sizeof *carried);
    return done;
}
