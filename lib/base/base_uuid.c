#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Only for systems that refuse both sources: names stay unique, which is all that tsf asks of them. */
static void random_last_resort(uint8_t *p, size_t n)
{
    static atomic_ullong counter;
    struct timespec ts;
    uint64_t x;

    clock_gettime(CLOCK_REALTIME, &ts);
    x = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    x = tsf_hash_u64(x) ^ tsf_hash_u64((uint64_t)getpid() << 32) ^ tsf_hash_u64(atomic_fetch_add(&counter, 1) + 1);
    for (size_t i = 0; i < n; i++) {
        x = tsf_hash_u64(x + 0x9e3779b97f4a7c15ULL);
        p[i] ^= (uint8_t)x;
    }
}

void tsf_random(void *p, size_t n)
{
    uint8_t *out = p;
    int fd;

    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        out += got;
        n -= (size_t)got;
    }
    if (n == 0)
        return;
    memset(out, 0, n);
    if ((fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC)) >= 0) {
        while (n > 0) {
            ssize_t got = read(fd, out, n);

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            out += got;
            n -= (size_t)got;
        }
        close(fd); /* nothing was written: no error to lose */
    }
    random_last_resort(out, n);
}

void tsf_uuid4(char out[37])
{
    uint8_t raw[16];
    char hex[33];

    tsf_random(raw, sizeof(raw));
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    tsf_hex(raw, sizeof(raw), hex);
    for (int from = 0, to = 0; from < 32; from++) {
        if (from == 8 || from == 12 || from == 16 || from == 20)
            out[to++] = '-';
        out[to++] = hex[from];
    }
    out[36] = '\0';
}

void tsf_hex(const void *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tsf_unhex(struct tsf_str s, void *out)
{
    uint8_t *to = out;

    if (s.len % 2 != 0)
        return false;
    for (size_t i = 0; i < s.len; i++) /* first look, then write: out changes only on success */
        if (hex_value(s.data[i]) < 0)
            return false;
    for (size_t i = 0; i < s.len; i += 2)
        to[i / 2] = (uint8_t)(hex_value(s.data[i]) << 4 | hex_value(s.data[i + 1]));
    return true;
}
