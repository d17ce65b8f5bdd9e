/* Reading a key file. */
#include "net/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIGIT_COUNT = 2 * MS_CRYPTO_KEY_SIZE, FILE_SIZE_MAX = DIGIT_COUNT + 8 };

/* Whether the file is one that a secret may be in. */
static bool is_private(int descriptor, const char *path, char message[MS_MESSAGE_MAX])
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        snprintf(message, MS_MESSAGE_MAX, "cannot read %.300s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        snprintf(message, MS_MESSAGE_MAX, "%.300s is not a file", path);
    else if (status.st_uid != geteuid() && status.st_uid != 0)
        snprintf(message, MS_MESSAGE_MAX, "%.300s belongs to another user, who knows the key: make one of your own with msc key FILE", path);
    else if ((status.st_mode & 0077) != 0)
        snprintf(message, MS_MESSAGE_MAX, "others may read or write %.200s: chmod 600 %.200s", path, path);
    else
        return true;
    return false;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(ms_key *key, const uint8_t *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size != DIGIT_COUNT)
        return false;
    for (int i = 0; i < MS_CRYPTO_KEY_SIZE; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool ms_key_read(ms_key *key, const char *path, char message[MS_MESSAGE_MAX])
{
    uint8_t text[FILE_SIZE_MAX];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        snprintf(message, MS_MESSAGE_MAX, "cannot read %.300s: %s%s", path, strerror(errno),
                 errno == ENOENT ? " (msc key FILE makes a key)" : "");
        return false;
    }
    bool fine = is_private(descriptor, path, message);
    if (fine) {
        ssize_t size = read(descriptor, text, sizeof text);
        fine = size >= 0 && decode(key, text, (size_t)size);
        if (!fine)
            snprintf(message, MS_MESSAGE_MAX, "%.300s holds no key: a key is %d hexadecimal digits, as msc key FILE makes them", path,
                     DIGIT_COUNT);
    }
    memset(text, 0, sizeof text);
    close(descriptor);
    key->known = fine;
    return fine;
}
