#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * Chunks form a list; the head is the one that pieces are cut from. Chunks double in size up to CHUNK_MAX. A piece
 * larger than a quarter of the next chunk gets a chunk of its own behind the head, so the rest of the head is not lost.
 * Sanitizer builds keep a poisoned gap after each piece.
 */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
#else
#define ARENA_GAP 0
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_ALIGN 16
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)

struct tsf_arena_chunk {
    struct tsf_arena_chunk *prev;
    size_t size; /* of data */
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

static void chunk_free(struct tsf_arena_chunk *c)
{
    ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
    free(c);
}

/* NULL when the system or the ceiling refuses. */
static struct tsf_arena_chunk *chunk_new(struct tsf_arena *a, size_t size)
{
    struct tsf_arena_chunk *c;
    size_t total;

    if (!tsf_add_size(size, sizeof(*c), &total) || (a->max != 0 && (a->used > a->max || total > a->max - a->used)))
        return NULL;
    c = malloc(total);
    if (c == NULL)
        return NULL;
    c->size = size;
    a->used += total;
    ASAN_POISON_MEMORY_REGION(c->data, c->size);
    return c;
}

static void arena_start_chunk(struct tsf_arena *a, struct tsf_arena_chunk *c)
{
    c->prev = a->head;
    a->head = c;
    a->next = c->data;
    a->end = c->data + c->size;
}

void tsf_arena_release(struct tsf_arena *a)
{
    struct tsf_arena_chunk *c = a->head;

    while (c != NULL) {
        struct tsf_arena_chunk *prev = c->prev;

        chunk_free(c);
        c = prev;
    }
    a->head = NULL;
    a->next = a->end = NULL;
    a->used = 0;
}

void tsf_arena_reset(struct tsf_arena *a)
{
    struct tsf_arena_chunk *keep = a->head, *c = a->head;

    if (c == NULL)
        return;
    for (; c != NULL; c = c->prev)
        if (c->size > keep->size)
            keep = c;
    for (c = a->head; c != NULL;) {
        struct tsf_arena_chunk *prev = c->prev;

        if (c != keep)
            chunk_free(c);
        c = prev;
    }
    ASAN_POISON_MEMORY_REGION(keep->data, keep->size);
    a->head = NULL;
    a->used = keep->size + sizeof(*keep);
    arena_start_chunk(a, keep);
}

/* The head has no room for a piece of `size` bytes (rounded, with its gap). */
static void *arena_alloc_slow(struct tsf_arena *a, size_t n, size_t size)
{
    size_t usual = TSF_MAX(TSF_MIN(a->used, CHUNK_MAX), CHUNK_MIN);
    struct tsf_arena_chunk *c = NULL;
    uint8_t *p;

    if (size <= usual / 4)
        c = chunk_new(a, usual);
    if (c != NULL || a->head == NULL) {
        if (c == NULL && (c = chunk_new(a, size)) == NULL)
            return NULL;
        arena_start_chunk(a, c);
        p = a->next;
        a->next += size;
    } else {
        if ((c = chunk_new(a, size)) == NULL)
            return NULL;
        c->prev = a->head->prev;
        a->head->prev = c;
        p = c->data;
    }
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    return p;
}

void *tsf_arena_alloc(struct tsf_arena *a, size_t n)
{
    size_t size;
    void *p;

    if (TSF_UNLIKELY(n > PTRDIFF_MAX - ARENA_ALIGN - ARENA_GAP))
        return NULL;
    n = n == 0 ? 1 : n;
    size = ((n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_GAP;
    if (TSF_UNLIKELY(size > (size_t)(a->end - a->next)))
        return arena_alloc_slow(a, n, size);
    p = a->next;
    a->next += size;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    return p;
}

void *tsf_arena_calloc(struct tsf_arena *a, size_t n, size_t size)
{
    size_t total;
    void *p;

    if (!tsf_mul_size(n, size, &total) || (p = tsf_arena_alloc(a, total)) == NULL)
        return NULL;
    memset(p, 0, total);
    return p;
}

void *tsf_arena_memdup(struct tsf_arena *a, const void *p, size_t n)
{
    void *copy = tsf_arena_alloc(a, n);

    if (copy != NULL && n != 0)
        memcpy(copy, p, n);
    return copy;
}

char *tsf_arena_strndup(struct tsf_arena *a, const char *p, size_t n)
{
    char *copy;
    size_t total;

    if (!tsf_add_size(n, 1, &total) || (copy = tsf_arena_alloc(a, total)) == NULL)
        return NULL;
    if (n != 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *tsf_arena_strdup(struct tsf_arena *a, const char *z)
{
    return tsf_arena_strndup(a, z, strlen(z));
}

char *tsf_arena_printf(struct tsf_arena *a, const char *fmt, ...)
{
    char small[256], *out;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    if ((size_t)n < sizeof(small))
        return tsf_arena_strndup(a, small, (size_t)n);
    if ((out = tsf_arena_alloc(a, (size_t)n + 1)) == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(out, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return out;
}

/* At least n, geometric from *cap; 0 when the bytes would overflow. */
static size_t grown_cap(size_t cap, size_t n, size_t elem_size)
{
    size_t bytes, want = TSF_MAX(n, 8);

    if (cap <= SIZE_MAX / 2 && cap * 2 > want && tsf_mul_size(cap * 2, elem_size, &bytes))
        return cap * 2;
    return tsf_mul_size(want, elem_size, &bytes) ? want : 0;
}

bool tsf_arena_grow(struct tsf_arena *a, void **array, size_t *cap, size_t n, size_t elem_size)
{
    size_t new_cap;
    void *p;

    if (n <= *cap)
        return true;
    if ((new_cap = grown_cap(*cap, n, elem_size)) == 0 || (p = tsf_arena_alloc(a, new_cap * elem_size)) == NULL)
        return false;
    if (*cap != 0)
        memcpy(p, *array, *cap * elem_size);
    *array = p;
    *cap = new_cap;
    return true;
}

void *tsf_malloc_array(size_t n, size_t size)
{
    size_t total;

    if (!tsf_mul_size(n, size, &total))
        return NULL;
    return malloc(total == 0 ? 1 : total);
}

bool tsf_realloc_array(void **array, size_t *cap, size_t n, size_t elem_size)
{
    size_t new_cap;
    void *p;

    if (n <= *cap)
        return true;
    if ((new_cap = grown_cap(*cap, n, elem_size)) == 0 ||
        (p = realloc(*array, new_cap * elem_size == 0 ? 1 : new_cap * elem_size)) == NULL)
        return false;
    *array = p;
    *cap = new_cap;
    return true;
}
