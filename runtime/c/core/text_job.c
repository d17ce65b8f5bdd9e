/* The text of a handle. In a file of its own, since it needs the master's or slave's ms_job_state. */
#include "core/text.h"

#include <stddef.h>

void ms_text_job(ms_vector *text, ms_job *job, const char *type)
{
    if (job == NULL) {
        ms_text_words(text, "no job");
        return;
    }
    ms_text_words(text, type);
    ms_text_words(text, " ");
    ms_text_state(text, ms_job_state(job));
}
