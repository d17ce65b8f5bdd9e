/* Reading options by a table. */
#include "core/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOBS_SHARE = 16 };
#define BLOBS_MOST ((uint64_t)1 << 30)
#define STARTED_SIZE ((uint64_t)4 << 30) /* where nobody knows how much memory there is */

static const ms_option *find(const ms_option_table *table, const char *name, size_t size)
{
    for (int i = 0; i < table->option_count; i++)
        if (strlen(table->options[i].name) == size && memcmp(table->options[i].name, name, size) == 0)
            return &table->options[i];
    return NULL;
}

static const ms_option *find_letter(const ms_option_table *table, char letter)
{
    for (int i = 0; i < table->option_count; i++)
        if (table->options[i].letter == letter && letter != 0)
            return &table->options[i];
    return NULL;
}

static bool complain(const ms_option_table *table, const char *option, const char *message)
{
    fprintf(stderr, "%s: %s: %s\n", table->program, option, message);
    return false;
}

static bool read_environment(const ms_option_table *table, void *options)
{
    for (int i = 0; i < table->option_count; i++) {
        char name[64] = "MS_", message[MS_OPTION_MESSAGE_MAX] = "";
        size_t size = 3;
        for (const char *c = table->options[i].name; *c != '\0' && size < sizeof name - 1; c++)
            name[size++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (value != NULL && value[0] != '\0' && !table->options[i].set(options, value, true, message))
            return complain(table, name, message);
    }
    return true;
}

static void show_help(const ms_option_table *table)
{
    printf("usage: %s\n\n", table->usage);
    for (int i = 0; i < table->option_count; i++) {
        const ms_option *option = &table->options[i];
        char left[64];
        const char *value = option->value_name == NULL ? "" : option->value_name;
        int size = option->letter == 0 ? 0 : snprintf(left, sizeof left, "-%c, ", option->letter);
        snprintf(left + size, sizeof left - (size_t)size, option->kind == MS_OPTION_FLAG       ? "--%s%s"
                                                          : option->kind == MS_OPTION_OPTIONAL ? "--%s[=%s]"
                                                                                               : "--%s %s",
                 option->name, value);
        printf("  %-26s %s\n", left, option->help);
    }
    printf("  %-26s %s\n  %-26s %s\n\n%s", "--help", "shows this", "--version", "shows the version", table->closing);
}

/* One word that begins with "-"; `next` is the word behind it or null; `*used_next` says whether that was its value. */
static bool read_option(const ms_option_table *table, void *options, const char *word, const char *next, bool *used_next)
{
    char message[MS_OPTION_MESSAGE_MAX] = "";
    const char *value = NULL;
    const ms_option *option;
    if (word[1] == '-') {
        value = strchr(word, '=');
        size_t size = value == NULL ? strlen(word) : (size_t)(value - word);
        option = find(table, word + 2, size - 2);
        value = value == NULL ? NULL : value + 1;
    } else {
        option = find_letter(table, word[1]);
        value = word[1] != '\0' && word[2] != '\0' ? word + 2 : NULL;
    }
    if (option == NULL)
        return complain(table, word, "there is no such option (--help shows those there are)");
    if (option->kind == MS_OPTION_FLAG && value != NULL)
        return complain(table, word, "this option takes no value");
    if (option->kind == MS_OPTION_VALUE && value == NULL) {
        if (next == NULL)
            return complain(table, word, "a value is missing");
        value = next;
        *used_next = true;
    }
    if (value == NULL)
        value = option->kind == MS_OPTION_FLAG ? "1" : "";
    return option->set(options, value, false, message) || complain(table, word, message);
}

ms_options_result ms_options_read(const ms_option_table *table, void *options, int argc, char **argv, int *rest)
{
    *rest = argc;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            show_help(table);
            return MS_OPTIONS_SHOWN;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s, M/s protocol %d, for %s, %s\n", table->program, (int)table->protocol_version, table->program_target,
                   table->program_note);
            return MS_OPTIONS_SHOWN;
        }
    }
    if (!read_environment(table, options))
        return MS_OPTIONS_WRONG;
    for (int i = 1; i < argc; i++) {
        char message[MS_OPTION_MESSAGE_MAX] = "there may be no such word here (words for the program stand behind --)";
        bool used_next = false;
        if (strcmp(argv[i], "--") == 0) {
            *rest = i + 1;
            break;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!read_option(table, options, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next))
                return MS_OPTIONS_WRONG;
        } else if (table->operand == NULL || !table->operand(options, argv[i], message)) {
            complain(table, argv[i], message);
            return MS_OPTIONS_WRONG;
        }
        i += used_next;
    }
    return MS_OPTIONS_FINE;
}

static bool wrong(char *message, const char *value, const char *wanted)
{
    snprintf(message, MS_OPTION_MESSAGE_MAX, "\"%.100s\" is not %s", value, wanted);
    return false;
}

/* Digits only: strtoull would take signs and white space. */
static bool read_digits(uint64_t *number, const char *value, char **end)
{
    if (!isdigit((unsigned char)value[0]))
        return false;
    errno = 0;
    *number = strtoull(value, end, 10);
    return errno == 0;
}

bool ms_option_count(uint32_t *count, const char *value, uint32_t minimum, uint32_t maximum, char *message)
{
    char wanted[64], *end;
    uint64_t number;
    snprintf(wanted, sizeof wanted, "a number from %u to %u", minimum, maximum);
    if (!read_digits(&number, value, &end) || *end != '\0' || number < minimum || number > maximum)
        return wrong(message, value, wanted);
    *count = (uint32_t)number;
    return true;
}

bool ms_option_size(uint64_t *size, const char *value, uint64_t maximum, char *message)
{
    static const char units[] = "KMGT";
    char wanted[96], *end;
    uint64_t number;
    snprintf(wanted, sizeof wanted, "a number of bytes up to %llu, such as 1000000 or 512M", (unsigned long long)maximum);
    if (!read_digits(&number, value, &end))
        return wrong(message, value, wanted);
    const char *unit = *end == '\0' ? NULL : strchr(units, toupper((unsigned char)*end));
    int shift = unit == NULL ? 0 : 10 * (int)(unit - units + 1);
    if ((*end != '\0' && (unit == NULL || end[1] != '\0')) || number > maximum >> shift || number == 0)
        return wrong(message, value, wanted);
    *size = number << shift;
    return true;
}

bool ms_option_payload(uint32_t *size, const char *value, char *message)
{
    uint64_t number;
    if (!ms_option_size(&number, value, UINT32_MAX, message))
        return false;
    if (number < 1024)
        return wrong(message, value, "enough: payloads need at least 1K");
    *size = (uint32_t)number;
    return true;
}

bool ms_option_blobs(uint64_t *size, const char *value, char *message)
{
    *size = 0;
    return strcmp(value, "0") == 0 || ms_option_size(size, value, UINT64_MAX / 2, message);
}

/* Of the machine's memory. */
static uint64_t share_of_memory(uint64_t divisor, uint64_t when_unknown)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size / divisor : when_unknown;
}

uint64_t ms_blobs_default(void)
{
    uint64_t share = share_of_memory(BLOBS_SHARE, BLOBS_MOST);
    return share < BLOBS_MOST ? share : BLOBS_MOST;
}

uint64_t ms_started_size_default(void)
{
    return share_of_memory(2, STARTED_SIZE);
}

bool ms_option_seconds(double *seconds, const char *value, double minimum, char *message)
{
    char wanted[64], *end;
    snprintf(wanted, sizeof wanted, "a number of seconds from %g on", minimum);
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(number) || number < minimum || number > 1e9)
        return wrong(message, value, wanted);
    *seconds = number;
    return true;
}

bool ms_option_flag(bool *flag, const char *value, char *message)
{
    if (strcmp(value, "1") != 0 && strcmp(value, "0") != 0)
        return wrong(message, value, "0 or 1");
    *flag = value[0] == '1';
    return true;
}
