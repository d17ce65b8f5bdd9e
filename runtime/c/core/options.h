/* Options of the command line and of the environment: --min-slaves 3, --min-slaves=3, MS_MIN_SLAVES=3.
 *
 * A table says which there are; what they mean is left to the master and the slave. The environment is read first, so that
 * the command line overrules it. */
#ifndef MS_OPTIONS_H
#define MS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ms_option_kind {
    MS_OPTION_FLAG,     /* --quiet */
    MS_OPTION_VALUE,    /* --lost-max N */
    MS_OPTION_OPTIONAL  /* --progress, --progress=WHEN: `value` is "" without one */
} ms_option_kind;

typedef struct ms_option {
    const char *name;       /* "min-slaves" */
    char letter;            /* 'j', or 0 */
    ms_option_kind kind;
    const char *value_name; /* "N" */
    const char *help;
    /* False: `message` says what is wrong with the value. */
    bool (*set)(void *options, const char *value, bool from_environment, char *message);
} ms_option;

enum { MS_OPTION_MESSAGE_MAX = 512 };

typedef struct ms_option_table {
    const char *program; /* "prog-master" */
    const char *usage;   /* "prog-master [options] [-- words]" */
    const char *closing; /* the end of --help */
    const ms_option *options;
    int option_count;
    /* A word that is no option; null when there may be none. As above. */
    bool (*operand)(void *options, const char *word, char *message);
    int32_t protocol_version;
    const char *program_target;
    const char *program_note; /* the end of --version */
} ms_option_table;

typedef enum ms_options_result { MS_OPTIONS_FINE, MS_OPTIONS_SHOWN /* --help or --version */, MS_OPTIONS_WRONG } ms_options_result;

/* Prints what is wrong, or what was asked for. `*rest` becomes the index of the first word behind --, argc when there is none. */
ms_options_result ms_options_read(const ms_option_table *table, void *options, int argc, char **argv, int *rest);

/* Values, with a message when they are not as they should be. */
bool ms_option_count(uint32_t *count, const char *value, uint32_t minimum, uint32_t maximum, char *message);
bool ms_option_size(uint64_t *size, const char *value, uint64_t maximum, char *message); /* bytes, also 4K, 512M, 2G */
bool ms_option_payload(uint32_t *size, const char *value, char *message); /* a size from 1 KiB to what a header can say */
bool ms_option_seconds(double *seconds, const char *value, double minimum, char *message);
/* --blobs-max, on both ends: a size, or 0 for none; and what it is when nobody says, a share of the machine's memory. */
bool ms_option_blobs(uint64_t *size, const char *value, char *message);
uint64_t ms_blobs_default(void);
uint64_t ms_started_size_default(void); /* of --started-size-max: half of the memory */
bool ms_option_flag(bool *flag, const char *value, char *message);
#endif
