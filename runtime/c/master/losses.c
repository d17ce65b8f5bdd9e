/* Lines about workers that died. */
#include "master/losses.h"

#include "core/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_SIZE = 512, SENTENCE_MAX_SIZE = 160, DEATHS_TOLD = 20 };
#define DEATHS_NS 10000000000u /* so many have a line of their own in so long */

void ms_loss_note(ms_job *job, const char *slave, const void *cause, uint32_t cause_size)
{
    char words[MS_CAUSE_MAX + 1], line[LINE_MAX_SIZE];
    ms_relations *r = ms_relations_of(job);
    if (r == NULL)
        return;
    ms_printable(words, sizeof words, cause, cause_size);
    snprintf(line, sizeof line, "a worker of slave %s died of %s", slave, words[0] == '\0' ? "?" : words);
    size_t before = r->crash_count == 0 ? 0 : strlen(r->crashes);
    char *crashes = realloc(r->crashes, before + strlen(line) + 2);
    if (crashes == NULL)
        return;
    if (before > 0)
        crashes[before++] = '\n';
    strcpy(crashes + before, line);
    r->crashes = crashes;
    r->crash_count++;
}

/* What the last one died of: the end of the last line. */
static const char *last_cause(const char *crashes)
{
    static const char before[] = " died of ";
    const char *line = strrchr(crashes, '\n'), *cause = line == NULL ? crashes : line, *next;
    while ((next = strstr(cause, before)) != NULL)
        cause = next + strlen(before);
    return cause;
}

ms_failure *ms_loss_failure(const ms_job *job)
{
    char sentence[SENTENCE_MAX_SIZE], slaves[32] = "";
    const ms_relations *r = job->relations;
    if (r == NULL || r->crash_count == 0)
        return NULL;
    uint32_t slave_count = job->lost_count - r->crash_count;
    if (slave_count > 0)
        snprintf(slaves, sizeof slaves, "%u slave%s and ", slave_count, slave_count == 1 ? "" : "s");
    int size = snprintf(sentence, sizeof sentence, "lost %s%u worker%s: %s", slaves, r->crash_count, r->crash_count == 1 ? "" : "s",
                        last_cause(r->crashes));
    ms_bytes story = {0};
    ms_failure *failure = NULL;
    if (ms_bytes_append(&story, sentence, (size_t)size) && ms_bytes_append(&story, "\n", 1) &&
        ms_bytes_append(&story, r->crashes, strlen(r->crashes)))
        failure = ms_failure_create("", sentence, (uint32_t)size, story.data, (uint32_t)story.size);
    ms_bytes_free(&story);
    return failure;
}

void ms_loss_log(ms_server *server, const ms_peer *peer, const ms_job *job, const void *cause, uint32_t cause_size)
{
    char words[MS_CAUSE_MAX + 1];
    uint32_t untold = ms_quota_turn(&server->deaths_told, server->now, DEATHS_NS);
    if (untold > 0)
        ms_server_log(server, "%u more workers died", untold);
    if (peer == NULL || !ms_quota_take(&server->deaths_told, DEATHS_TOLD))
        return;
    ms_printable(words, sizeof words, cause, cause_size);
    ms_server_log(server, "slave %s: a worker died of %s, 1 job %s", peer->name, words[0] == '\0' ? "?" : words,
                  job->place == MS_PLACE_ENDED ? "has failed" : "goes back to the queue");
}
