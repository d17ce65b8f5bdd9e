/* Numbers and names of hosts. The answer of getent is read line by line: "192.0.2.1  STREAM name". */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ANSWER_MAX = 4096 };

/* An IPv6 number, with "%interface" behind it or not. */
static bool parse_six(const char *host, struct sockaddr_in6 *name)
{
    char number[MS_HOST_MAX + 1];
    size_t size = strcspn(host, "%");
    if (size > MS_HOST_MAX)
        return false;
    memcpy(number, host, size);
    number[size] = '\0';
    if (inet_pton(AF_INET6, number, &name->sin6_addr) != 1)
        return false;
    name->sin6_scope_id = host[size] == '%' ? if_nametoindex(host + size + 1) : 0;
    return host[size] == '\0' || name->sin6_scope_id != 0;
}

static bool parse_number(const char *host, uint16_t port, ms_endpoint *endpoint)
{
    *endpoint = (ms_endpoint){0};
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&endpoint->name;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&endpoint->name;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        endpoint->size = sizeof *four;
        return true;
    }
    *endpoint = (ms_endpoint){0};
    if (!parse_six(host, six))
        return false;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    endpoint->size = sizeof *six;
    return true;
}

/* Starts `getent ahosts host`; its answer comes from *answer. An errno, 0 when it runs. */
static int start_getent(const char *host, pid_t *child, int *answer)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *words[] = {"getent", "ahosts", "--", (char *)(uintptr_t)host, NULL};
    int error = posix_spawnp(child, "getent", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0)
        close(ends[0]);
    *answer = ends[0];
    return error;
}

/* All that getent says, NUL-terminated, cut at ANSWER_MAX; an errno as above. */
static int ask_getent(const char *host, char answer[ANSWER_MAX + 1])
{
    pid_t child;
    int descriptor = -1;
    int error = start_getent(host, &child, &descriptor);
    if (error != 0)
        return error;
    size_t size = 0;
    for (;;) {
        ssize_t done = read(descriptor, answer + size, ANSWER_MAX - size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0 || (size += (size_t)done) == ANSWER_MAX)
            break;
    }
    answer[size] = '\0';
    close(descriptor);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

int ms_resolve(const char *host, uint16_t port, ms_endpoint endpoints[MS_ENDPOINTS_MAX], const char **why)
{
    if (parse_number(host, port, &endpoints[0]))
        return 1;
    if (strcmp(host, "localhost") == 0)
        return parse_number("127.0.0.1", port, &endpoints[0]) + parse_number("::1", port, &endpoints[1]);
    char answer[ANSWER_MAX + 1];
    int error = ask_getent(host, answer);
    if (error != 0) {
        *why = error == ENOENT ? "names need the program getent, which is not here: give the address as a number" : strerror(error);
        return 0;
    }
    int count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(answer, "\n", &rest); line != NULL && count < MS_ENDPOINTS_MAX; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, "STREAM") == NULL)
            continue;
        line[strcspn(line, " \t")] = '\0';
        count += parse_number(line, port, &endpoints[count]);
    }
    if (count == 0)
        *why = "there is no host of this name";
    return count;
}

void ms_endpoint_format(const struct sockaddr *name, char text[MS_ADDRESS_TEXT_MAX])
{
    ms_address address = {.kind = MS_ADDRESS_TCP};
    const char *done = NULL;
    if (name->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)name;
        done = inet_ntop(AF_INET, &four->sin_addr, address.host, sizeof address.host);
        address.port = ntohs(four->sin_port);
    } else if (name->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)name;
        done = inet_ntop(AF_INET6, &six->sin6_addr, address.host, sizeof address.host);
        address.port = ntohs(six->sin6_port);
    }
    if (done == NULL)
        strcpy(address.host, "?");
    ms_address_format(&address, text);
}
