/* Recall: jobs that lie behind the slots of one slave while a slot of another one is free. The rules stand in scheduler.h.
 *
 * Whether there are slaves of both kinds is asked only when one comes to be of either kind and nothing pends, so what is busy pays nothing
 * for it. That sets `look_at`; the thinking is done by ms_scheduler_look, once for many events. */
#include "master/scheduler_inside.h"

enum {
    RECALL_MAX = 65536, /* jobs asked back at one time */
    VICTIM_MAX = 16     /* crowded slaves that are compared */
};
#define WORTH_NS 500000u    /* a queue of so much work for each slot is worth asking for at once */
#define PATIENCE_NS 1000000u /* a shorter one only when nothing has been answered for so long */
#define PAUSE_NS 100000u     /* between two looks */

static bool is_any(const ms_scheduler *s, ms_slave_set set)
{
    return ms_bitset_next(&s->sets[set], 0) != MS_NO_MEMBER;
}

void ms_recall_soon(ms_scheduler *s)
{
    if (s->look_at > s->looked_at + PAUSE_NS && is_any(s, MS_SET_CROWDED) && is_any(s, MS_SET_FREE))
        s->look_at = s->looked_at + PAUSE_NS;
}

/* ---- Asking ---- */

/* What the master itself takes to come round is no reason. */
static bool is_worth_it(const ms_scheduler *s, const ms_slave *slave, uint64_t now)
{
    uint64_t lag_ns = MS_LAGS_AHEAD * s->lag_ns, worth_ns = lag_ns > WORTH_NS ? lag_ns : WORTH_NS;
    return slave->load_ns >= worth_ns * slave->slots || now - slave->batch_at >= (lag_ns > PATIENCE_NS ? lag_ns : PATIENCE_NS);
}

/* What lies behind its slots and is still wanted. */
static uint32_t queued_count(const ms_slave *slave)
{
    uint32_t wanted = ms_busy_count(slave) < slave->given_up ? 0 : ms_busy_count(slave) - slave->given_up;
    return wanted > slave->slots ? wanted - slave->slots : 0;
}

/* The slave with the longest queue for each slot, of the next few. `*later`: there are some that may be worth it soon. */
static ms_slave *find_victim(ms_scheduler *s, uint64_t now, bool *later)
{
    ms_slave *best = NULL;
    uint32_t first = MS_NO_MEMBER, at = s->recall_rotor;
    for (int i = 0; i < VICTIM_MAX; i++) {
        at = ms_bitset_next(&s->sets[MS_SET_CROWDED], at + 1);
        if (at == MS_NO_MEMBER || at == first)
            return best;
        if (first == MS_NO_MEMBER)
            first = at;
        ms_slave *slave = &s->slaves[at];
        s->recall_rotor = at;
        if (slave->recalling || queued_count(slave) == 0)
            continue;
        if (!is_worth_it(s, slave, now))
            *later = true;
        else if (best == NULL || (uint64_t)queued_count(slave) * best->slots > (uint64_t)queued_count(best) * slave->slots)
            best = slave;
    }
    *later = true;
    return best;
}

/* So many that both have the same number for each slot then, as far as that is known. */
static uint32_t share(const ms_slave *from, const ms_slave *to)
{
    uint64_t have = (uint64_t)ms_busy_count(from) * to->slots, has = (uint64_t)ms_busy_count(to) * from->slots;
    uint64_t count = (have - has) / ((uint64_t)from->slots + to->slots);
    uint64_t most = queued_count(from) < RECALL_MAX ? queued_count(from) : RECALL_MAX;
    return (uint32_t)(count < 1 ? 1 : count > most ? most : count);
}

/* Asks for the youngest, which a slave begins last. `*later`: some of them are still on their way. */
static void ask(ms_scheduler *s, ms_slave *slave, uint32_t count, uint64_t now, bool *later)
{
    uint32_t number = (uint32_t)(slave - s->slaves);
    for (ms_job *job = slave->jobs.last; job != NULL && count > 0; job = job->previous) {
        ms_attempt *attempt = ms_attempt_of(s, job->jid);
        *later = *later || job->lent;
        if (attempt->lent || attempt->asked || attempt->readopted || job->lent)
            continue;
        attempt->asked = true;
        slave->recalling = true;
        slave->recalled_at = now;
        count--;
        ms_scheduler_act(s, (ms_action){.kind = MS_SEND_RECALL, .slave = number, .jid = job->jid});
    }
}

void ms_scheduler_look(ms_scheduler *s, uint64_t now)
{
    bool later = false;
    uint32_t first = ms_bitset_next(&s->sets[MS_SET_FREE], 0), at = first;
    s->look_at = UINT64_MAX;
    s->looked_at = now;
    if (s->pending.first != NULL || first == MS_NO_MEMBER)
        return;
    do {
        ms_slave *victim = find_victim(s, now, &later);
        if (victim == NULL)
            break;
        ask(s, victim, share(victim, &s->slaves[at]), now, &later);
        at = ms_bitset_next(&s->sets[MS_SET_FREE], at + 1);
    } while (at != first);
    if (later)
        s->look_at = now + PATIENCE_NS;
}

void ms_scheduler_recalled(ms_scheduler *s, uint32_t number, uint64_t now)
{
    s->slaves[number].recalling = s->slaves[number].stalled = false;
    ms_place_note(s, &s->slaves[number]);
    ms_place_pump(s, now); /* it takes jobs again */
    ms_recall_soon(s);
}

/* ---- Not waiting for an answer ---- */

/* All but those that it may have begun. */
static void revoke(ms_scheduler *s, ms_slave *slave)
{
    uint32_t count = queued_count(slave);
    slave->stalled = true;
    ms_place_note(s, slave);
    while (count-- > 0 && slave->jobs.last != NULL && !ms_attempt_of(s, slave->jobs.last->jid)->lent && !slave->jobs.last->lent) {
        ms_job *job = slave->jobs.last;
        ms_end_give_up(s, job);
        ms_place_pend(s, job, true);
        if (job->relations != NULL)
            ms_end_leave_children(s, job, false);
    }
    ms_end_settle(s);
}

void ms_recall_tick(ms_scheduler *s, uint64_t now)
{
    uint32_t first = ms_bitset_next(&s->sets[MS_SET_CROWDED], 0), at = first;
    if (first == MS_NO_MEMBER)
        return;
    do {
        ms_slave *slave = &s->slaves[at];
        bool overdue = slave->recalling && !slave->stalled && now - slave->recalled_at >= s->heartbeat_ns / 2;
        if (overdue && s->pending.first == NULL && is_any(s, MS_SET_FREE)) {
            revoke(s, slave);
            ms_place_pump(s, now); /* the others have their turn at the next tick */
            return;
        }
        at = ms_bitset_next(&s->sets[MS_SET_CROWDED], at + 1);
    } while (at != first);
}
