/* Two tables that name each other. */
#include "slave/relay.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void ms_relay_free(ms_relay *relay)
{
    free(relay->table);
    ms_free_numbers_close(&relay->free_numbers);
    *relay = (ms_relay){0};
}

void ms_numbers_free(ms_numbers *numbers)
{
    free(numbers->table);
    *numbers = (ms_numbers){0};
}

static bool reserve(ms_relay *relay)
{
    if (relay->free_numbers.count > 0)
        return true;
    ms_relayed *table = ms_free_numbers_grow(&relay->free_numbers, relay->table, sizeof *table);
    if (table != NULL)
        relay->table = table;
    return table != NULL;
}

/* Workers take the lowest numbers that are free, so a number is never far beyond those that were in use before. */
static bool reserve_own(ms_numbers *numbers, uint32_t own)
{
    if (own < numbers->capacity)
        return true;
    uint32_t before = numbers->capacity, capacity = before == 0 ? FIRST_CAPACITY : before * 2;
    if (own >= capacity)
        return false;
    uint32_t *table = realloc(numbers->table, capacity * sizeof *table);
    if (table == NULL)
        return false;
    memset(table + before, 0, (capacity - before) * sizeof *table);
    numbers->table = table;
    numbers->capacity = capacity;
    return true;
}

uint32_t ms_relay_add(ms_relay *relay, ms_numbers *numbers, void *worker, uint32_t own)
{
    if (own == 0 || !reserve_own(numbers, own) || numbers->table[own] != 0 || !reserve(relay))
        return 0;
    uint32_t number = ms_free_numbers_take(&relay->free_numbers);
    relay->table[number] = (ms_relayed){.worker = worker, .number = own, .used = true};
    numbers->table[own] = number;
    return number;
}

uint32_t ms_relay_find(const ms_relay *relay, const ms_numbers *numbers, uint32_t own)
{
    uint32_t number = own < numbers->capacity ? numbers->table[own] : 0;
    return number != 0 && !relay->table[number].released ? number : 0;
}

/* `numbers` null: the worker is gone. */
static void forget_when_over(ms_relay *relay, ms_numbers *numbers, uint32_t number)
{
    ms_relayed *one = &relay->table[number];
    if (!one->answered || !one->released)
        return;
    if (numbers != NULL)
        numbers->table[one->number] = 0;
    *one = (ms_relayed){0};
    ms_free_numbers_give(&relay->free_numbers, number);
}

bool ms_relay_is_known(const ms_relay *relay, uint32_t number)
{
    return !relay->table[number].unknown;
}

void ms_relay_disconnect(ms_relay *relay, void (*end)(void *context, uint32_t number), void *context)
{
    for (uint32_t number = 1; number < relay->free_numbers.capacity; number++) {
        ms_relayed *one = &relay->table[number];
        one->unknown = one->used;
        if (one->used && !one->answered)
            end(context, number);
    }
}

void ms_relay_release(ms_relay *relay, ms_numbers *numbers, uint32_t number)
{
    relay->table[number].released = true;
    forget_when_over(relay, numbers, number);
}

bool ms_relay_answer(ms_relay *relay, uint32_t number, void **worker, uint32_t *own)
{
    ms_relayed *one = number < relay->free_numbers.capacity ? &relay->table[number] : NULL;
    if (one == NULL || !one->used || one->answered)
        return false;
    one->answered = true;
    *worker = one->worker;
    *own = one->number;
    if (one->worker == NULL)
        forget_when_over(relay, NULL, number);
    return true;
}

void ms_relay_settle(ms_relay *relay, ms_numbers *numbers, uint32_t number)
{
    forget_when_over(relay, numbers, number);
}

void ms_relay_orphan(ms_relay *relay, ms_numbers *numbers, void (*release)(void *context, uint32_t number), void *context)
{
    for (uint32_t own = 0; own < numbers->capacity; own++) {
        uint32_t number = numbers->table[own];
        if (number == 0)
            continue;
        ms_relayed *one = &relay->table[number];
        if (!one->released && !one->unknown)
            release(context, number);
        one->released = true;
        one->worker = NULL;
        forget_when_over(relay, NULL, number);
    }
    ms_numbers_free(numbers);
}
