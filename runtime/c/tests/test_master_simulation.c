/* Random histories for the scheduler, each from a seed: slaves that join, answer late, twice, wrongly or never, vanish and come
 * back, and jobs that depend, spawn, go on as others, wait, fail and are cancelled, while clocks jump and jids run out.
 *
 *   test_master_simulation [--histories N] [--seed N]   N histories from N seeds on
 *   test_master_simulation --replay SEED                one, told step by step
 *
 * Each history has a character: the weights of its events, how many slaves it may have and how long it is are drawn first. Most end in peace, where nothing
 * goes wrong any more and every job must end, the others as a master does that is told to stop. */
#include "simulation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_CAMPAIGN = 3000, DEPTH_MAX = 12 };

typedef enum event {
    SUBMIT,
    NEED,
    ANSWER,
    ANSWER_ALL,
    ANSWER_WRONG,
    SPAWN,
    TAIL,
    LEND,
    CANCEL,
    CANCEL_LATE,
    TELL_CANCELLED,
    LET_GO,
    GIVE_BACK,
    RECALLED,
    LOOK,
    CRASH,
    JOIN,
    LEAVE,
    DROP,
    LOSE,
    DISOWN,
    RETURN,
    OFFER,
    SILENCE,
    TICK,
    JUMP,
    EVENT_COUNT
} event;

/* How often each happens in a history in which everything does. */
static const uint32_t USUAL[EVENT_COUNT] = {
    [SUBMIT] = 20, [NEED] = 8, [ANSWER] = 40, [ANSWER_ALL] = 6, [ANSWER_WRONG] = 4, [SPAWN] = 14, [TAIL] = 4, [LEND] = 12,
    [CANCEL] = 4, [CANCEL_LATE] = 3, [TELL_CANCELLED] = 4, [LET_GO] = 6, [GIVE_BACK] = 4, [RECALLED] = 8, [LOOK] = 10, [CRASH] = 2, [JOIN] = 6, [LEAVE] = 2,
    [DROP] = 1, [LOSE] = 3, [DISOWN] = 1, [RETURN] = 16, [OFFER] = 16, [SILENCE] = 2, [TICK] = 6, [JUMP] = 1,
};
/* What jobs of each function take: none, some, long. */
static const uint64_t DURATION_NS[SIM_ORDINALS + 1] = {0, 1000, 500000, 60000000};

typedef struct character {
    uint32_t weights[EVENT_COUNT], total;
    uint32_t steps, slaves_max, slots_max, submit_max;
} character;

static sim world;

static void draw_character(sim *s, character *c)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < EVENT_COUNT; i++) {
        uint32_t much = sim_random(s, 8);
        bool always = i == SUBMIT || i == ANSWER || i == JOIN;
        c->weights[i] = much == 0 && !always ? 0 : much == 1 ? USUAL[i] * 4 : USUAL[i];
        c->total += c->weights[i];
    }
    c->steps = 10 + sim_random(s, sim_random(s, 8) == 0 ? 400 : 100);
    c->slaves_max = sim_random(s, 16) == 0 ? SIM_SLAVES_MAX - 8 : 1 + sim_random(s, 8);
    c->slots_max = 1 + sim_random(s, 4);
    c->submit_max = 1 + sim_random(s, 12);
}

/* ---- Choosing ---- */

static int some_attempt(sim *s)
{
    if (s->held_count == 0)
        return SIM_NONE;
    int at = (int)sim_random(s, (uint32_t)s->attempt_count);
    while (s->attempts[at].job == SIM_NONE)
        at = (at + 1) % s->attempt_count;
    return at;
}

static uint32_t some_slave(sim *s)
{
    uint32_t number = sim_random(s, SIM_SLAVES_MAX);
    while (s->slaves[number].slots == 0)
        number = (number + 1) % SIM_SLAVES_MAX;
    return number;
}

/* One that the program still has a handle of. */
static int some_job(sim *s)
{
    for (int tries = 0; tries < 8 && s->job_count > 0; tries++) {
        int number = s->job_count - 1 - (int)sim_random(s, (uint32_t)(s->job_count < 40 ? s->job_count : 40));
        if (s->jobs[number].held)
            return number;
    }
    return SIM_NONE;
}

static int some_needs(sim *s, int needs[SIM_NEEDS_MAX], int parent)
{
    int count = 0;
    for (uint32_t i = 1 + sim_random(s, SIM_NEEDS_MAX); i > 0; i--) {
        int job = some_job(s);
        if (job != SIM_NONE && s->jobs[job].parent == parent)
            needs[count++] = job;
    }
    return count;
}

static uint32_t some_ordinal(sim *s)
{
    return 1 + sim_random(s, SIM_ORDINALS);
}

/* ---- Events ---- */

static void submit(sim *s, const character *c)
{
    uint32_t ordinal = some_ordinal(s);
    s->together = sim_random(s, 2) == 0;
    for (uint32_t i = 1 + sim_random(s, c->submit_max); i > 0 && s->job_count < SIM_JOBS_MAX; i--) {
        sim_submit(s, ordinal, NULL, 0, SIM_NONE);
        if (!s->together)
            sim_act(s, false);
    }
    s->together = false;
    for (bool more = true; more;) {
        more = ms_scheduler_pump(s->scheduler, s->now);
        sim_act(s, false);
    }
}

static void answer(sim *s, int at)
{
    const sim_attempt attempt = s->attempts[at];
    s->now += DURATION_NS[attempt.ordinal];
    sim_answer(s, at, sim_random(s, 8) == 0);
    if (sim_random(s, 16) == 0) { /* twice */
        sim_act(s, false);
        if (s->slaves[attempt.slave].slots > 0)
            sim_answer_wrong(s, attempt.slave, (int32_t)attempt.ordinal, attempt.jid);
    }
}

static void answer_all(sim *s, uint32_t slave)
{
    uint64_t until = s->attempt_number;
    for (int i = 0; i < s->attempt_count; i++) {
        const sim_attempt *one = &s->attempts[i];
        if (one->job == SIM_NONE || one->slave != slave || one->number >= until)
            continue;
        sim_answer(s, i, false);
        sim_act(s, false);
    }
}

static void answer_wrong(sim *s, uint32_t slave)
{
    int at = some_attempt(s);
    uint32_t orphan = s->orphan_count == 0 ? 0 : s->orphans[sim_random(s, (uint32_t)s->orphan_count)].jid;
    uint32_t jids[] = {sim_random(s, 50), at == SIM_NONE ? orphan : s->attempts[at].jid, orphan, 0x7fffffff - sim_random(s, 50), 0xffffffff};
    int32_t ordinals[] = {1, 2, 3, -1, -2, -3, INT32_MAX, INT32_MIN};
    sim_answer_wrong(s, slave, ordinals[sim_random(s, 8)], jids[sim_random(s, 5)]);
}

static void spawn(sim *s, int at)
{
    int needs[SIM_NEEDS_MAX], parent = s->attempts[at].job;
    if (s->job_count == SIM_JOBS_MAX || s->jobs[parent].depth >= DEPTH_MAX)
        return;
    for (uint32_t i = 1 + sim_random(s, 3); i > 0 && s->job_count < SIM_JOBS_MAX; i--) {
        if (s->attempts[at].job != parent) /* it has ended meanwhile */
            return;
        int need_count = sim_random(s, 3) == 0 ? some_needs(s, needs, parent) : 0;
        sim_submit(s, some_ordinal(s), needs, need_count, at);
        sim_act(s, false);
    }
}

static void play_slave(sim *s, event what, uint32_t slave)
{
    switch (what) {
    case ANSWER_ALL: answer_all(s, slave); break;
    case ANSWER_WRONG: answer_wrong(s, slave); break;
    case RECALLED:
        if (!s->slaves[slave].silent)
            sim_recalled(s, slave);
        break;
    case LEAVE:
        if (!s->slaves[slave].leaving)
            sim_leave(s, slave);
        break;
    case DROP:
        if (!s->slaves[slave].dropped)
            sim_drop(s, slave);
        break;
    case LOSE: sim_lose(s, slave); break;
    case DISOWN: sim_disown(s, slave); break;
    case OFFER:
        if (!s->slaves[slave].dropped)
            sim_offer(s, slave);
        break;
    case SILENCE: s->slaves[slave].silent = !s->slaves[slave].silent; break;
    default: break;
    }
}

static void play_attempt(sim *s, event what, int at)
{
    int needs[SIM_NEEDS_MAX];
    if (s->slaves[s->attempts[at].slave].silent && what != LEND)
        return; /* it stalls */
    switch (what) {
    case ANSWER: answer(s, at); break;
    case SPAWN: spawn(s, at); break;
    case TAIL: sim_tail(s, at, some_ordinal(s), needs, sim_random(s, 2) == 0 ? some_needs(s, needs, s->attempts[at].job) : 0); break;
    case LEND: sim_lend(s, at); break;
    case GIVE_BACK: sim_give_back(s, at); break;
    case CRASH: sim_crash(s, at); break;
    default: break;
    }
}

static void play_job(sim *s, event what, int job)
{
    switch (what) {
    case CANCEL: sim_cancel(s, job, false); break;
    case CANCEL_LATE: sim_cancel(s, job, true); break;
    case TELL_CANCELLED:
        if (s->jobs[job].untold)
            sim_tell_cancelled(s, job);
        break;
    case LET_GO:
        if (!s->jobs[job].untold)
            sim_let_go(s, job);
        break;
    default: break;
    }
}

static void play(sim *s, const character *c, event what)
{
    int needs[SIM_NEEDS_MAX], job = some_job(s), at = some_attempt(s);
    switch (what) {
    case SUBMIT: submit(s, c); break;
    case NEED:
        if (s->job_count < SIM_JOBS_MAX)
            sim_submit(s, some_ordinal(s), needs, some_needs(s, needs, SIM_NONE), SIM_NONE);
        break;
    case JOIN:
        if ((uint32_t)s->slave_count < c->slaves_max)
            sim_join(s, 1 + sim_random(s, c->slots_max));
        break;
    case RETURN:
        if ((uint32_t)s->slave_count < c->slaves_max)
            sim_return(s, 1 + sim_random(s, c->slots_max));
        break;
    case TICK: sim_tick(s, sim_random(s, SIM_HEARTBEAT_NS)); break;
    case JUMP: sim_tick(s, (uint64_t)sim_random(s, 3600) * 1000000000); break;
    case LOOK: sim_look(s); break;
    case ANSWER_ALL:
    case ANSWER_WRONG:
    case RECALLED:
    case LEAVE:
    case DROP:
    case LOSE:
    case DISOWN:
    case OFFER:
    case SILENCE:
        if (s->slave_count > 0)
            play_slave(s, what, some_slave(s));
        break;
    case CANCEL:
    case CANCEL_LATE:
    case TELL_CANCELLED:
    case LET_GO:
        if (job != SIM_NONE)
            play_job(s, what, job);
        break;
    default:
        if (at != SIM_NONE)
            play_attempt(s, what, at);
    }
}

static event some_event(sim *s, const character *c)
{
    uint32_t at = sim_random(s, c->total);
    int what = 0;
    while (at >= c->weights[what])
        at -= c->weights[what++];
    return (event)what;
}

/* ---- The end ---- */

static void tell_all_cancelled(sim *s)
{
    for (int i = 0; i < s->job_count; i++)
        if (s->jobs[i].untold) {
            sim_tell_cancelled(s, i);
            sim_act(s, false);
        }
}

/* Nothing goes wrong any more: those that leave go when they have answered, the others answer everything; every job must end. */
static void recover(sim *s)
{
    sim_tell(s, "peace");
    tell_all_cancelled(s);
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++) {
        s->slaves[i].silent = false;
        if (s->slaves[i].slots > 0 && s->slaves[i].dropped)
            sim_lose(s, i);
        if (s->slaves[i].returning) {
            sim_offer(s, i);
            sim_act(s, false);
        }
        if (s->slaves[i].leaving)
            answer_all(s, i);
    }
    sim_join(s, 2);
    sim_act(s, true);
    for (int i = 0; i < s->attempt_count; i++)
        if (s->attempts[i].job != SIM_NONE && s->attempts[i].lent) {
            sim_lend(s, i);
            sim_act(s, false);
        }
    for (int round = 0; s->held_count > 0; round++) {
        HOLDS(s, round < 2 * SIM_JOBS_MAX);
        for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++) {
            sim_recalled(s, i);
            sim_act(s, false);
        }
        sim_look(s);
        sim_act(s, false);
        for (int i = 0; i < s->attempt_count; i++) {
            if (s->attempts[i].job == SIM_NONE)
                continue;
            s->now += DURATION_NS[s->attempts[i].ordinal];
            sim_answer(s, i, false);
            sim_act(s, false);
        }
    }
}

/* As the server does when the master ends. */
static void shut(sim *s)
{
    ms_job *record;
    sim_tell(s, "the end");
    tell_all_cancelled(s);
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++)
        if (s->slaves[i].slots > 0)
            sim_drop(s, i);
    s->shutting = true;
    while ((record = ms_scheduler_pending(s->scheduler)) != NULL) {
        sim_cancel(s, sim_index_of(record), false);
        sim_act(s, false);
    }
    for (int i = 0; i < s->attempt_count; i++)
        if (s->attempts[i].job != SIM_NONE && !s->attempts[i].given_up) {
            sim_cancel(s, s->attempts[i].job, false);
            sim_act(s, false);
        }
}

static void play_history(uint64_t seed, bool tell)
{
    sim *s = &world;
    character c;
    s->tell = tell;
    sim_open(s, seed);
    draw_character(s, &c);
    for (s->step = 1; s->step <= c.steps; s->step++) {
        play(s, &c, some_event(s, &c));
        sim_act(s, s->step % 8 == 0);
    }
    if (sim_random(s, 8) == 0)
        shut(s);
    else
        recover(s);
    sim_act(s, true);
    sim_close(s);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, histories = SHORT_CAMPAIGN;
    for (int i = 1; i < argc; i += 2) {
        uint64_t number = i + 1 < argc ? strtoull(argv[i + 1], NULL, 10) : 0;
        if (i + 1 < argc && strcmp(argv[i], "--replay") == 0) {
            play_history(number, true);
            return 0;
        }
        if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = number;
        } else if (i + 1 < argc && strcmp(argv[i], "--histories") == 0) {
            histories = number;
        } else {
            fprintf(stderr, "usage: %s [--histories N] [--seed N] | --replay SEED\n", argv[0]);
            return 2;
        }
    }
    for (uint64_t i = 0; i < histories; i++)
        play_history(seed + i, false);
    printf("ok test_master_simulation.c %" PRIu64 " histories from seed %" PRIu64 "\n", histories, seed);
    return 0;
}
