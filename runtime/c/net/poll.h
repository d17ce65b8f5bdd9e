/* Waiting for many descriptors at once: three functions over epoll, edge-triggered.
 *
 * Edge-triggered: an event comes once for each change, so whoever is told reads (or writes) until the system has no more. */
#ifndef MS_POLL_H
#define MS_POLL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ms_event {
    void *owner;
    bool readable; /* also: the other end is gone, reading will say so */
    bool writable;
    bool hung_up; /* nothing comes after what can be read now, which ends with the end: no other event will say so */
} ms_event;

/* The descriptor of a new poll set, -1 with errno set. It is closed like any other. */
int ms_poll_create(void);
/* Watches a descriptor until it is closed; `owner` comes back with its events. */
bool ms_poll_add(int poll, int descriptor, void *owner);
/* Waits for at most `timeout_ms` (-1: for ever) and gives the number of events, 0 also when a signal came. */
int ms_poll_wait(int poll, ms_event *events, int event_max, int timeout_ms);
#endif
