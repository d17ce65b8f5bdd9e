/* Connections of --status: reading a request, answering it, letting go.
 *
 *     READING   → ANSWERING   the request is whole, or wrong
 *     ANSWERING → LINGERING   all is sent; what the client still sends is read and thrown away, so that it gets to read the answer
 *     any       → gone        the client has closed, or its time is over */
#include "master/http.h"

#include "core/clock.h"
#include "master/peer.h"
#include "net/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    CLIENT_MAX = 32,
    REQUEST_MAX = 16 << 10,
    THROWN_AWAY_MAX = 64 << 10
};
#define REQUEST_NS 5000000000u
#define ANSWER_NS 10000000000u
#define LINGER_NS 1000000000u

typedef enum client_state { READING, ANSWERING, LINGERING } client_state;

typedef struct client {
    ms_source source;
    client_state state;
    ms_http *http;
    int descriptor;
    char *request; /* of malloc's, REQUEST_MAX + 1 bytes */
    size_t request_size;
    size_t thrown_away_size;
    ms_bytes answer;
    size_t sent_size;
    uint64_t deadline;
    struct client *next, **link;
} client;

struct ms_http {
    ms_source source;
    ms_listener listener;
    int poll;
    bool insecure;
    bool any_host; /* a unix socket has no name that could be another's */
    ms_http_page page;
    client *clients;
    uint32_t client_count;
};

static void let_go(client *c)
{
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    c->http->client_count--;
    close(c->descriptor);
    ms_bytes_free(&c->answer);
    free(c->request);
    free(c);
}

/* ---- Answers ---- */

static void respond(client *c, const char *status, const char *type, const ms_bytes *body, bool with_body)
{
    char head[512];
    bool refuses_method = strncmp(status, "405", 3) == 0;
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\nCache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n\r\n",
                        status, type, body->size, refuses_method ? "Allow: GET, HEAD\r\n" : "");
    c->state = ANSWERING;
    c->deadline = ms_clock_ns() + ANSWER_NS;
    ms_bytes_append(&c->answer, head, (size_t)size);
    if (with_body)
        ms_bytes_append(&c->answer, body->data, body->size);
}

/* An answer of one line. */
static void refuse(client *c, const char *status, const char *sentence)
{
    ms_bytes body = {0};
    ms_bytes_append(&body, sentence, strlen(sentence));
    ms_bytes_append(&body, "\n", 1);
    respond(c, status, "text/plain; charset=utf-8", &body, true);
    ms_bytes_free(&body);
}

static void answer_page(ms_server *server, client *c, char *path, bool with_body)
{
    ms_bytes body = {0};
    const char *type = NULL;
    path[strcspn(path, "?#")] = '\0';
    if (c->http->page(server, path, &type, &body))
        respond(c, "200 OK", type, &body, with_body);
    else
        refuse(c, "404 Not Found", "there are /, /status.json and /metrics");
    ms_bytes_free(&body);
}

/* ---- Requests ---- */

static bool is_method(const char *word)
{
    size_t size = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return size > 0 && size <= 20 && word[size] == '\0';
}

/* An address or localhost, with a port or without; then it is no name that somebody else has made point to us. */
static bool is_plain_host(char *host)
{
    if (host[0] == '[')
        return strspn(host + 1, "0123456789abcdefABCDEF:.") > 0 && strchr(host, ']') != NULL;
    host[strcspn(host, ":")] = '\0';
    return strcasecmp(host, "localhost") == 0 || (host[0] != '\0' && strspn(host, "0123456789.") == strlen(host));
}

/* Looks at the lines of the head. Null, or what is wrong with them. */
static const char *check_fields(const client *c, char *fields, bool needs_host)
{
    const char *foreign = "this page answers to addresses and to localhost, not to other names (unless the master has --insecure)";
    bool has_host = false;
    char *line;
    while ((line = strsep(&fields, "\n")) != NULL) {
        size_t size = strlen(line);
        if (size > 0 && line[size - 1] == '\r')
            line[size - 1] = '\0';
        if (line[0] == '\0')
            break;
        char *value = strchr(line, ':');
        if (value == NULL || value == line)
            return "a line of the head has no name";
        *value++ = '\0';
        value += strspn(value, " \t");
        if (strcasecmp(line, "host") != 0)
            continue;
        if (has_host)
            return "there are two hosts";
        has_host = true;
        if (!c->http->insecure && !c->http->any_host && !is_plain_host(value))
            return foreign;
    }
    return needs_host && !has_host ? "there is no host" : NULL;
}

/* The request stands in c->request, whole, with a NUL behind it. */
static void answer(ms_server *server, client *c)
{
    char *fields = c->request;
    if (strlen(c->request) != c->request_size) {
        refuse(c, "400 Bad Request", "that is no request");
        return;
    }
    char *line = strsep(&fields, "\n");
    line[strcspn(line, "\r")] = '\0';
    char *method = strsep(&line, " "), *path = strsep(&line, " "), *version = strsep(&line, " ");
    if (version == NULL || line != NULL || !is_method(method) || path[0] != '/' ||
        (strcmp(version, "HTTP/1.0") != 0 && strcmp(version, "HTTP/1.1") != 0)) {
        refuse(c, "400 Bad Request", "that is no request");
        return;
    }
    const char *wrong = check_fields(c, fields, strcmp(version, "HTTP/1.1") == 0);
    if (wrong != NULL)
        refuse(c, strncmp(wrong, "this page", 9) == 0 ? "403 Forbidden" : "400 Bad Request", wrong);
    else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        answer_page(server, c, path, method[0] == 'G');
    else
        refuse(c, "405 Method Not Allowed", "there is nothing to change here: GET and HEAD");
}

/* The empty line that ends the head has come. */
static bool is_whole(const client *c)
{
    return memmem(c->request, c->request_size, "\r\n\r\n", 4) != NULL || memmem(c->request, c->request_size, "\n\n", 2) != NULL;
}

/* ---- Reading and writing ---- */

/* False: the client is gone. */
static bool read_request(ms_server *server, client *c)
{
    while (c->state == READING) {
        ssize_t size = ms_socket_read(c->descriptor, c->request + c->request_size, REQUEST_MAX - c->request_size);
        if (size <= 0)
            return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        c->request_size += (size_t)size;
        c->request[c->request_size] = '\0';
        if (is_whole(c))
            answer(server, c);
        else if (c->request_size == REQUEST_MAX)
            refuse(c, "431 Request Header Fields Too Large", "that is too long for a request");
    }
    return true;
}

static bool throw_away(client *c)
{
    char bytes[4096];
    while (c->state != READING && c->thrown_away_size < THROWN_AWAY_MAX) {
        ssize_t size = ms_socket_read(c->descriptor, bytes, sizeof bytes);
        if (size <= 0)
            return c->state == ANSWERING ? size == 0 || errno == EAGAIN || errno == EWOULDBLOCK
                                         : size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        c->thrown_away_size += (size_t)size;
    }
    return c->thrown_away_size < THROWN_AWAY_MAX;
}

static bool write_answer(client *c)
{
    while (c->state == ANSWERING && c->sent_size < c->answer.size) {
        struct iovec part = {c->answer.data + c->sent_size, c->answer.size - c->sent_size};
        ssize_t size = ms_socket_write(c->descriptor, &part, 1);
        if (size < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        c->sent_size += (size_t)size;
    }
    if (c->state == ANSWERING) {
        ms_socket_finish(c->descriptor);
        c->state = LINGERING;
        c->deadline = ms_clock_ns() + LINGER_NS;
    }
    return true;
}

void ms_http_serve(ms_server *server, void *owner)
{
    client *c = owner;
    bool stays = (c->state != READING || read_request(server, c)) && write_answer(c) && throw_away(c);
    if (!stays)
        let_go(c);
}

static void admit(ms_server *server, ms_http *http, int descriptor)
{
    client *c = http->client_count < CLIENT_MAX ? calloc(1, sizeof *c) : NULL;
    if (c == NULL || (c->request = malloc(REQUEST_MAX + 1)) == NULL || !ms_poll_add(http->poll, descriptor, c)) {
        if (c != NULL)
            free(c->request);
        free(c);
        close(descriptor);
        return;
    }
    c->source = MS_SOURCE_STATUS_CLIENT;
    c->http = http;
    c->descriptor = descriptor;
    c->deadline = ms_clock_ns() + REQUEST_NS;
    c->next = http->clients;
    c->link = &http->clients;
    if (c->next != NULL)
        c->next->link = &c->next;
    http->clients = c;
    http->client_count++;
    ms_http_serve(server, c);
}

void ms_http_accept(ms_server *server, ms_http *http)
{
    char name[MS_ADDRESS_TEXT_MAX];
    for (;;) {
        int descriptor = ms_socket_accept(&http->listener, name);
        if (descriptor >= 0)
            admit(server, http, descriptor);
        else if (errno != EPERM && errno != ECONNABORTED)
            return; /* when there are no descriptors left, the next tick tries again */
    }
}

uint64_t ms_http_tick(ms_server *server, ms_http *http)
{
    uint64_t now = ms_clock_ns(), next_deadline = UINT64_MAX;
    for (client *c = http->clients, *next; c != NULL; c = next) {
        next = c->next;
        if (now >= c->deadline)
            let_go(c);
        else if (c->deadline < next_deadline)
            next_deadline = c->deadline;
    }
    ms_http_accept(server, http);
    return next_deadline;
}

/* ---- Beginning and end ---- */

ms_http *ms_http_create(int poll, const ms_address *address, bool insecure, ms_http_page page, bool *wrong, char message[MS_MESSAGE_MAX])
{
    ms_http *http = calloc(1, sizeof *http);
    snprintf(message, MS_MESSAGE_MAX, "no memory to start");
    if (http == NULL)
        return NULL;
    *http = (ms_http){MS_SOURCE_STATUS_DOOR, {.descriptor = -1}, poll, insecure, address->kind == MS_ADDRESS_UNIX, page, NULL, 0};
    if (!ms_socket_listen(&http->listener, address, insecure ? MS_INSECURE : MS_LOOPBACK, wrong, message)) {
        free(http);
        return NULL;
    }
    if (!ms_poll_add(poll, http->listener.descriptor, http)) {
        snprintf(message, MS_MESSAGE_MAX, "cannot listen: %s", strerror(errno));
        ms_http_destroy(http);
        return NULL;
    }
    return http;
}

void ms_http_format(const ms_http *http, char text[MS_ADDRESS_TEXT_MAX + 16])
{
    char address[MS_ADDRESS_TEXT_MAX];
    ms_address_format(&http->listener.address, address);
    snprintf(text, MS_ADDRESS_TEXT_MAX + 16, http->listener.address.kind == MS_ADDRESS_UNIX ? "%s" : "http://%s/", address);
}

void ms_http_destroy(ms_http *http)
{
    while (http->clients != NULL)
        let_go(http->clients);
    ms_socket_unlisten(&http->listener);
    free(http);
}
