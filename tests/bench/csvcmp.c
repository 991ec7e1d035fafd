/*
 * csvcmp: do two CSV answers say the same? For results of different engines, which write the same value
 * in different ways.
 *
 *   csvcmp [-t TOLERANCE] A.csv B.csv
 *
 * Rows must stand in the same order; the header line is not compared. Two fields are equal when they are the
 * same text, the same time (2026-11-01T00:00:00Z and 2026-11-01 00:00:00+00), numbers that differ by a
 * share of at most TOLERANCE (1e-9), or lists or JSON that differ only in brackets, quotes, blanks and
 * backslashes. Exit 0 when equal, 1 with the first difference, 2 when a file cannot be read.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *s;
    size_t len, cap;
};

static void text_add(struct text *t, int c)
{
    if (t->len + 1 >= t->cap) {
        t->cap = t->cap ? t->cap * 2 : 256;
        t->s = realloc(t->s, t->cap);
        if (!t->s) {
            fprintf(stderr, "csvcmp: out of memory\n");
            exit(2);
        }
    }
    t->s[t->len++] = (char)c;
    t->s[t->len] = '\0';
}

enum end { FIELD, LINE, END };

/* Read one field; says what stood behind it. */
static enum end field_read(FILE *f, struct text *t)
{
    int c = getc(f);
    t->len = 0;
    text_add(t, 0);
    t->len = 0;
    if (c == EOF)
        return END;
    bool quoted = c == '"';
    if (quoted)
        c = getc(f);
    for (; c != EOF; c = getc(f)) {
        if (quoted && c == '"') {
            c = getc(f);
            if (c != '"') {
                quoted = false;
                if (c == EOF)
                    break;
            }
        }
        if (!quoted && c == ',')
            return FIELD;
        if (!quoted && c == '\n')
            return LINE;
        if (!quoted && c == '\r')
            continue;
        text_add(t, c);
    }
    return LINE;
}

/* Drop what engines write differently in times: T or blank, Z or +00, trailing zeros of the second. */
static bool time_plain(const char *s, char *out, size_t size)
{
    size_t n = strlen(s), k = 0;
    if (n < 19 || n + 1 > size || !isdigit((unsigned char)s[0]) || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') ||
        s[13] != ':')
        return false;
    while (s[k] && (k < 11 || isdigit((unsigned char)s[k]) || s[k] == ':' || s[k] == '.')) {
        out[k] = s[k] == 'T' ? ' ' : s[k];
        k++;
    }
    const char *zone = s + k;
    if (*zone && strcmp(zone, "Z") != 0 && strncmp(zone, "+00", 3) != 0)
        return false;
    out[k] = '\0';
    if (strchr(out, '.'))
        while (out[k - 1] == '0' || out[k - 1] == '.') {
            bool dot = out[k - 1] == '.';
            out[--k] = '\0';
            if (dot)
                break;
        }
    return true;
}

static bool number_plain(const char *s, double *out)
{
    char *end;
    if (!*s || isspace((unsigned char)*s))
        return false;
    *out = strtod(s, &end);
    return *end == '\0';
}

static int letter(const char **p)
{
    while (**p && strchr("{}[]\"' \\", **p))
        ++*p;
    return **p ? (unsigned char)*(*p)++ : 0;
}

static bool fields_equal(const char *a, const char *b, double tolerance)
{
    char ta[64], tb[64];
    double x, y;
    if (strcmp(a, b) == 0)
        return true;
    if (time_plain(a, ta, sizeof ta) && time_plain(b, tb, sizeof tb))
        return strcmp(ta, tb) == 0;
    if (number_plain(a, &x) && number_plain(b, &y)) {
        double big = fabs(x) > fabs(y) ? fabs(x) : fabs(y);
        return fabs(x - y) <= tolerance * big;
    }
    if ((*a == '{' || *a == '[') && (*b == '{' || *b == '[')) {
        int ca, cb;
        do {
            ca = letter(&a);
            cb = letter(&b);
        } while (ca && ca == cb);
        return ca == cb;
    }
    return false;
}

int main(int argc, char **argv)
{
    double tolerance = 1e-9;
    int c;
    while ((c = getopt(argc, argv, "t:")) != -1) {
        if (c != 't')
            return 2;
        tolerance = strtod(optarg, NULL);
    }
    if (argc - optind != 2) {
        fprintf(stderr, "usage: csvcmp [-t TOLERANCE] A.csv B.csv\n");
        return 2;
    }
    FILE *f[2];
    struct text t[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        f[i] = fopen(argv[optind + i], "r");
        if (!f[i]) {
            fprintf(stderr, "csvcmp: %s: %s\n", argv[optind + i], strerror(errno));
            return 2;
        }
    }
    for (long row = 0, col = 1;; col++) {
        enum end a = field_read(f[0], &t[0]), b = field_read(f[1], &t[1]);
        if (a != b) {
            printf("row %ld, column %ld: one ends before the other\n", row, col);
            return 1;
        }
        if (a == END)
            return 0;
        if (row > 0 && !fields_equal(t[0].s, t[1].s, tolerance)) {
            printf("row %ld, column %ld: %s | %s\n", row, col, t[0].s, t[1].s);
            return 1;
        }
        if (a == LINE) {
            row++;
            col = 0;
        }
    }
}
