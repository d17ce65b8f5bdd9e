/* The answerer of HTTP for --status (master/http.h): clients that send anything, in pieces of any size, read slowly and go at any moment. */
#include "fuzz/fuzz.h"

#include "master/http.h"
#include "net/poll.h"

#include <string.h>

enum { CLIENT_MAX = 8, EVENT_COUNT = 16, BODY_SIZE = 70000 };

static int clients[CLIENT_MAX];
static ms_http *http;

/* Small pages, a large one, and none. */
static bool page(ms_server *server, const char *path, const char **type, ms_bytes *body)
{
    (void)server;
    MUST(path[0] == '/');
    *type = "text/plain";
    if (strcmp(path, "/large") != 0)
        return strcmp(path, "/none") != 0 && ms_bytes_append(body, path, strlen(path));
    MUST(ms_bytes_reserve(body, BODY_SIZE));
    memset(body->data, 'x', BODY_SIZE);
    body->size = BODY_SIZE;
    return true;
}

static void serve(void)
{
    ms_event events[EVENT_COUNT];
    for (int count; (count = ms_poll_wait(fake_poll(), events, EVENT_COUNT, 0)) > 0;)
        for (int i = 0; i < count; i++) {
            if (events[i].owner == (void *)http)
                ms_http_accept(NULL, http);
            else
                ms_http_serve(NULL, events[i].owner);
        }
}

static void step(fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);
    int *client = &clients[what >> 5];
    size_t size;
    const uint8_t *bytes;
    if (*client >= 0 && fake_is_closed(*client))
        *client = -1;
    switch (*client < 0 ? 0 : what & 7) {
    case 0:
        if (*client < 0)
            *client = fake_connect();
        break;
    case 1: fake_set_room(*client, fuzz_u8(input) * 4u); break;
    case 2: fake_set_room(*client, SIZE_MAX); break;
    case 3: fake_hang_up(*client, what & 8 ? 104 : 0); break;
    case 4:
        fake_pass(fuzz_u8(input) * 100000000ull);
        ms_http_tick(NULL, http);
        break;
    default:
        size = fuzz_u8(input);
        bytes = fuzz_bytes(input, &size);
        fake_feed(*client, bytes, size);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, data + size};
    ms_address address;
    char message[MS_MESSAGE_MAX];
    bool wrong;
    fake_begin(true);
    MUST(ms_address_parse(&address, size > 0 && data[0] & 1 ? "unix:fuzz" : "127.0.0.1:1", message));
    http = ms_http_create(fake_poll(), &address, false, page, &wrong, message);
    MUST(http != NULL);
    for (int i = 0; i < CLIENT_MAX; i++)
        clients[i] = -1;
    fuzz_u8(&input);
    while (!fuzz_is_empty(&input)) {
        step(&input);
        serve();
    }
    ms_http_destroy(http);
    fake_end();
    return 0;
}
