/* The only file that knows epoll. */
#include "net/poll.h"

#include <sys/epoll.h>

enum { BATCH_MAX = 64 };

int ms_poll_create(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

bool ms_poll_add(int poll, int descriptor, void *owner)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = owner};
    return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

int ms_poll_wait(int poll, ms_event *events, int event_max, int timeout_ms)
{
    struct epoll_event batch[BATCH_MAX];
    int count = epoll_wait(poll, batch, event_max < BATCH_MAX ? event_max : BATCH_MAX, timeout_ms);
    if (count < 0)
        return 0;
    for (int i = 0; i < count; i++) {
        uint32_t bits = batch[i].events;
        events[i] = (ms_event){.owner = batch[i].data.ptr,
                               .readable = (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                               .writable = (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                               .hung_up = (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0};
    }
    return count;
}
