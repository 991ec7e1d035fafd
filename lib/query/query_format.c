/*
 * Results as text. Rows stream: only the aligned table holds rows back, the first TABLE_SAMPLE of them, to find widths; later
 * rows that are wider stick out rather than being cut.
 */
#include "query/query.h"

#include <stdlib.h>
#include <utf8proc.h>

#define FLUSH_AT (256 << 10)
#define TABLE_SAMPLE 1000
#define CELL_WIDTH_MAX 1000

struct query_formatter {
    struct query_format_options opts;
    struct tsf_sink out;
    struct tsf_buf buf;           /* text not yet given to out */
    struct tsf_buf cells;         /* table: cell texts of the held rows, one after another */
    struct tsf_arena arena;       /* of one statement: names */
    struct tsf_arena batch_arena;
    struct query_column_info *columns;
    int n_columns;
    int *widths;
    bool *right;                  /* numbers align right */
    size_t *cell_ends;            /* table: end of each held cell in cells */
    size_t n_cells, cap_cells;
    bool widths_known;
    int64_t n_rows;
    int n_results;                /* statements with rows so far */
};

enum tsf_err query_formatter_new(const struct query_format_options *opts, const struct tsf_sink *out,
                                 struct query_formatter **fmt_out, struct tsf_error *err)
{
    struct query_formatter *f = calloc(1, sizeof *f);

    if (!f)
        return tsf_fail_nomem(err);
    f->opts = *opts;
    if (!f->opts.null_text)
        f->opts.null_text = "";
    f->out = *out;
    *fmt_out = f;
    return TSF_OK;
}

void query_formatter_free(struct query_formatter *f)
{
    if (!f)
        return;
    tsf_buf_release(&f->buf);
    tsf_buf_release(&f->cells);
    tsf_arena_release(&f->arena);
    tsf_arena_release(&f->batch_arena);
    free(f->cell_ends);
    free(f);
}

static enum tsf_err drain(struct query_formatter *f, bool all, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    if (f->buf.len && (all || f->buf.len >= FLUSH_AT)) {
        rc = f->out.write(f->out.ctx, f->buf.data, f->buf.len, err);
        tsf_buf_reset(&f->buf);
    }
    return rc;
}

/* ---- cells ---------------------------------------------------------------------------------------------------------- */

static bool is_number(const struct tsf_type *t)
{
    return tsf_type_is_integer(t) || t->id == TSF_TYPE_FLOAT || t->id == TSF_TYPE_DOUBLE || t->id == TSF_TYPE_DECIMAL;
}

static enum tsf_err csv_cell(struct tsf_buf *out, struct tsf_str s, struct tsf_error *err)
{
    bool quote = s.len == 0 || s.data[0] == ' ' || s.data[s.len - 1] == ' ';
    enum tsf_err rc;

    for (size_t i = 0; !quote && i < s.len; i++)
        quote = s.data[i] == '"' || s.data[i] == ',' || s.data[i] == '\n' || s.data[i] == '\r';
    if (!quote)
        return tsf_buf_append(out, s.data, s.len, err);
    if ((rc = tsf_buf_reserve(out, 2 * s.len + 2, err)) != TSF_OK)
        return rc;
    out->data[out->len++] = '"';
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"')
            out->data[out->len++] = '"';
        out->data[out->len++] = (uint8_t)s.data[i];
    }
    out->data[out->len++] = '"';
    return TSF_OK;
}

/* Tab, newline, return and backslash escaped as PostgreSQL's COPY does. */
static enum tsf_err tsv_cell(struct tsf_buf *out, struct tsf_str s, struct tsf_error *err)
{
    enum tsf_err rc = tsf_buf_reserve(out, 2 * s.len, err);

    if (rc != TSF_OK)
        return rc;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i], e = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\\' ? '\\' : 0;
        if (e)
            out->data[out->len++] = '\\';
        out->data[out->len++] = (uint8_t)(e ? e : c);
    }
    return TSF_OK;
}

/* One line whatever is in it: line breaks become <br>, bars are escaped. */
static enum tsf_err markdown_cell(struct tsf_buf *out, struct tsf_str s, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < s.len; i++)
        rc = s.data[i] == '|'    ? tsf_buf_append_z(out, "\\|", err)
             : s.data[i] == '\n' ? tsf_buf_append_z(out, "<br>", err)
             : s.data[i] == '\r' ? TSF_OK
                                 : tsf_buf_append_u8(out, (uint8_t)s.data[i], err);
    return rc;
}

/* Control characters would tear the table, and a terminal might obey them: shown as psql shows them, \n as "\n". */
static enum tsf_err table_cell(struct tsf_buf *out, struct tsf_str s, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (size_t i = 0; rc == TSF_OK && i < s.len; i++) {
        uint8_t c = (uint8_t)s.data[i];
        if (c >= 32 && c != 127)
            rc = tsf_buf_append_u8(out, c, err);
        else if (c == '\n' || c == '\t' || c == '\r')
            rc = tsf_buf_append_z(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r", err);
        else
            rc = tsf_buf_printf(out, err, "\\x%02x", c);
    }
    return rc;
}

/* Columns that the text takes on a terminal. */
static int display_width(const uint8_t *p, size_t n)
{
    int width = 0;

    for (size_t i = 0; i < n;) {
        utf8proc_int32_t cp;
        if (p[i] < 128) {
            width++;
            i++;
            continue;
        }
        utf8proc_ssize_t k = utf8proc_iterate(p + i, (utf8proc_ssize_t)(n - i), &cp);
        if (k <= 0) {
            width++;
            i++;
            continue;
        }
        width += utf8proc_charwidth(cp);
        i += (size_t)k;
    }
    return width;
}

static enum tsf_err text_of(struct query_formatter *f, const struct tsf_value *v, struct tsf_buf *scratch, struct tsf_str *out,
                            struct tsf_error *err)
{
    enum tsf_err rc;

    if (!v->is_null && tsf_type_is_string(v->type) && v->type->id == TSF_TYPE_STRING) {
        *out = v->u.s;
        return TSF_OK;
    }
    tsf_buf_reset(scratch);
    if ((rc = v->is_null ? tsf_buf_append_z(scratch, f->opts.null_text, err) : tsf_value_text(v, scratch, err)) != TSF_OK)
        return rc;
    *out = tsf_buf_str(scratch);
    return TSF_OK;
}

/* ---- aligned table --------------------------------------------------------------------------------------------------- */

static enum tsf_err pad(struct query_formatter *f, int n, const char *what, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int i = 0; rc == TSF_OK && i < n; i++)
        rc = tsf_buf_append_z(&f->buf, what, err);
    return rc;
}

static enum tsf_err table_put(struct query_formatter *f, int c, const uint8_t *p, size_t n, bool centre, struct tsf_error *err)
{
    const char *bar = f->opts.unicode ? "│" : "|";
    int room = f->widths[c] - display_width(p, n), left = centre ? room / 2 : f->right[c] ? room : 0;
    bool last = c + 1 == f->n_columns;
    enum tsf_err rc;

    if ((rc = tsf_buf_append_u8(&f->buf, ' ', err)) != TSF_OK || (rc = pad(f, left, " ", err)) != TSF_OK ||
        (rc = tsf_buf_append(&f->buf, p, n, err)) != TSF_OK)
        return rc;
    if (last) /* no blanks at the end of a line */
        return tsf_buf_append_u8(&f->buf, '\n', err);
    if ((rc = pad(f, room - left + 1, " ", err)) != TSF_OK)
        return rc;
    return tsf_buf_append_z(&f->buf, bar, err);
}

static enum tsf_err table_header(struct query_formatter *f, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;

    for (int c = 0; c < f->n_columns; c++)
        f->widths[c] = TSF_MAX(f->widths[c], f->opts.no_header ? 0 : display_width((const uint8_t *)f->columns[c].name, strlen(f->columns[c].name)));
    if (f->opts.no_header)
        return TSF_OK;
    for (int c = 0; rc == TSF_OK && c < f->n_columns; c++)
        rc = table_put(f, c, (const uint8_t *)f->columns[c].name, strlen(f->columns[c].name), true, err);
    for (int c = 0; rc == TSF_OK && c < f->n_columns; c++)
        if ((rc = pad(f, f->widths[c] + 2, f->opts.unicode ? "─" : "-", err)) == TSF_OK)
            rc = tsf_buf_append_z(&f->buf, c + 1 == f->n_columns ? "\n" : f->opts.unicode ? "┼" : "+", err);
    return rc;
}

static enum tsf_err table_rows(struct query_formatter *f, struct tsf_error *err)
{
    enum tsf_err rc = TSF_OK;
    size_t at = 0;

    if (!f->widths_known) {
        for (size_t i = 0; i < f->n_cells; i++) {
            int w = TSF_MIN(display_width(f->cells.data + at, f->cell_ends[i] - at), CELL_WIDTH_MAX);
            int c = (int)(i % (size_t)f->n_columns);
            f->widths[c] = TSF_MAX(f->widths[c], w);
            at = f->cell_ends[i];
        }
        if ((rc = table_header(f, err)) != TSF_OK)
            return rc;
        f->widths_known = true;
    }
    at = 0;
    for (size_t i = 0; rc == TSF_OK && i < f->n_cells; i++) {
        rc = table_put(f, (int)(i % (size_t)f->n_columns), f->cells.data + at, f->cell_ends[i] - at, false, err);
        at = f->cell_ends[i];
    }
    f->n_cells = 0;
    tsf_buf_reset(&f->cells);
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

static enum tsf_err put_cell(struct query_formatter *f, int c, const struct tsf_value *v, struct tsf_buf *scratch, struct tsf_error *err)
{
    struct tsf_str s;
    enum tsf_err rc;

    if (f->opts.format == QUERY_FORMAT_JSON || f->opts.format == QUERY_FORMAT_NDJSON) {
        if ((rc = tsf_buf_append_u8(&f->buf, c ? ',' : '{', err)) != TSF_OK ||
            (rc = tsf_buf_append_json(&f->buf, tsf_str(f->columns[c].name), err)) != TSF_OK ||
            (rc = tsf_buf_append_u8(&f->buf, ':', err)) != TSF_OK)
            return rc;
        return v->is_null ? tsf_buf_append_z(&f->buf, "null", err) : tsf_value_json(v, &f->buf, err);
    }
    if ((rc = text_of(f, v, scratch, &s, err)) != TSF_OK)
        return rc;
    switch (f->opts.format) {
    case QUERY_FORMAT_CSV:
        if (c && (rc = tsf_buf_append_u8(&f->buf, ',', err)) != TSF_OK)
            return rc;
        /* An empty text is "", so that it is not read back as NULL. */
        return v->is_null ? tsf_buf_append(&f->buf, s.data, s.len, err) : csv_cell(&f->buf, s, err);
    case QUERY_FORMAT_TSV:
        if (c && (rc = tsf_buf_append_u8(&f->buf, '\t', err)) != TSF_OK)
            return rc;
        return tsv_cell(&f->buf, s, err);
    case QUERY_FORMAT_MARKDOWN:
        if ((rc = tsf_buf_append_z(&f->buf, c ? " | " : "| ", err)) != TSF_OK)
            return rc;
        return markdown_cell(&f->buf, s, err);
    default:
        if ((rc = table_cell(&f->cells, s, err)) != TSF_OK)
            return rc;
        if (!tsf_realloc_array((void **)&f->cell_ends, &f->cap_cells, f->n_cells + 1, sizeof *f->cell_ends))
            return tsf_fail_nomem(err);
        f->cell_ends[f->n_cells++] = f->cells.len;
        return TSF_OK;
    }
}

static enum tsf_err row_begin(struct query_formatter *f, struct tsf_error *err)
{
    if (f->opts.format == QUERY_FORMAT_JSON && f->n_rows)
        return tsf_buf_append_z(&f->buf, ",\n ", err);
    return TSF_OK;
}

static enum tsf_err row_end(struct query_formatter *f, struct tsf_error *err)
{
    switch (f->opts.format) {
    case QUERY_FORMAT_JSON:
        return tsf_buf_append_u8(&f->buf, '}', err);
    case QUERY_FORMAT_NDJSON:
        return tsf_buf_append_z(&f->buf, "}\n", err);
    case QUERY_FORMAT_MARKDOWN:
        return tsf_buf_append_z(&f->buf, " |\n", err);
    case QUERY_FORMAT_TABLE:
        return f->n_cells >= (size_t)TABLE_SAMPLE * (size_t)f->n_columns ? table_rows(f, err) : TSF_OK;
    default:
        return tsf_buf_append_u8(&f->buf, '\n', err);
    }
}

static enum tsf_err on_batch(void *ctx, const struct tsf_batch *b, struct tsf_error *err)
{
    struct query_formatter *f = ctx;
    struct tsf_buf scratch = TSF_BUF_INIT(0);
    enum tsf_err rc = TSF_OK;

    for (int64_t i = 0; rc == TSF_OK && i < tsf_batch_rows(b); i++) {
        int64_t row = b->sel ? b->sel[i] : i;
        rc = row_begin(f, err);
        for (int c = 0; rc == TSF_OK && c < f->n_columns; c++) {
            struct tsf_value v;
            if ((rc = tsf_vector_get(&b->columns[c], row, &f->batch_arena, &v, err)) == TSF_OK)
                rc = put_cell(f, c, &v, &scratch, err);
        }
        if (rc == TSF_OK && f->n_columns)
            rc = row_end(f, err);
        f->n_rows++;
        if (rc == TSF_OK)
            rc = drain(f, false, err);
    }
    tsf_arena_reset(&f->batch_arena);
    tsf_buf_release(&scratch);
    return rc;
}

/* ---- statements --------------------------------------------------------------------------------------------------------------- */

static enum tsf_err header(struct query_formatter *f, struct tsf_error *err)
{
    enum query_format k = f->opts.format;
    enum tsf_err rc = TSF_OK;

    if (k == QUERY_FORMAT_JSON)
        return tsf_buf_append_z(&f->buf, "[", err);
    if ((k == QUERY_FORMAT_CSV || k == QUERY_FORMAT_TSV) && !f->opts.no_header) {
        for (int c = 0; rc == TSF_OK && c < f->n_columns; c++) {
            struct tsf_str name = tsf_str(f->columns[c].name);
            if (c)
                rc = tsf_buf_append_u8(&f->buf, k == QUERY_FORMAT_CSV ? ',' : '\t', err);
            if (rc == TSF_OK)
                rc = k == QUERY_FORMAT_CSV ? csv_cell(&f->buf, name, err) : tsv_cell(&f->buf, name, err);
        }
        return rc == TSF_OK ? tsf_buf_append_u8(&f->buf, '\n', err) : rc;
    }
    if (k == QUERY_FORMAT_MARKDOWN) { /* the header is part of the syntax */
        for (int c = 0; rc == TSF_OK && c < f->n_columns; c++)
            if ((rc = tsf_buf_append_z(&f->buf, c ? " | " : "| ", err)) == TSF_OK)
                rc = markdown_cell(&f->buf, tsf_str(f->columns[c].name), err);
        for (int c = 0; rc == TSF_OK && c < f->n_columns; c++)
            rc = tsf_buf_append_z(&f->buf, c ? (f->right[c] ? "|---:" : "|---") : f->right[c] ? " |\n|---:" : " |\n|---", err);
        return rc == TSF_OK ? tsf_buf_append_z(&f->buf, "|\n", err) : rc;
    }
    return rc;
}

static enum tsf_err on_begin(void *ctx, const struct query_column_info *columns, int n_columns, struct tsf_error *err)
{
    struct query_formatter *f = ctx;
    enum tsf_err rc = TSF_OK;
    size_t n = (size_t)n_columns + 1;

    tsf_arena_reset(&f->arena);
    f->n_columns = n_columns;
    f->n_rows = 0;
    f->n_cells = 0;
    f->widths_known = false;
    f->columns = tsf_arena_calloc(&f->arena, n, sizeof *f->columns);
    f->widths = tsf_arena_calloc(&f->arena, n, sizeof *f->widths);
    f->right = tsf_arena_calloc(&f->arena, n, sizeof *f->right);
    if (!f->columns || !f->widths || !f->right)
        return tsf_fail_nomem(err);
    if (!n_columns)
        return TSF_OK;
    for (int c = 0; c < n_columns; c++) {
        f->columns[c] = columns[c];
        if (!(f->columns[c].name = tsf_arena_strdup(&f->arena, columns[c].name)))
            return tsf_fail_nomem(err);
        f->right[c] = is_number(columns[c].type);
    }
    /* Results of several statements are set apart by an empty line where a reader is a person. */
    if (f->n_results++ && (f->opts.format == QUERY_FORMAT_TABLE || f->opts.format == QUERY_FORMAT_MARKDOWN))
        rc = tsf_buf_append_u8(&f->buf, '\n', err);
    return rc == TSF_OK ? header(f, err) : rc;
}

static enum tsf_err on_end(void *ctx, const char *tag, struct tsf_error *err)
{
    struct query_formatter *f = ctx;
    enum tsf_err rc = TSF_OK;

    if (!f->n_columns) { /* a command's tag is for people; data formats carry only data */
        if (f->opts.format == QUERY_FORMAT_TABLE && !f->opts.no_header && (rc = tsf_buf_append_z(&f->buf, tag, err)) == TSF_OK)
            rc = tsf_buf_append_u8(&f->buf, '\n', err);
    } else if (f->opts.format == QUERY_FORMAT_JSON) {
        rc = tsf_buf_append_z(&f->buf, "]\n", err);
    } else if (f->opts.format == QUERY_FORMAT_TABLE) {
        rc = table_rows(f, err);
        if (rc == TSF_OK && !f->opts.no_header)
            rc = tsf_buf_printf(&f->buf, err, "(%lld row%s)\n", (long long)f->n_rows, f->n_rows == 1 ? "" : "s");
    }
    return rc == TSF_OK ? drain(f, true, err) : rc;
}

struct query_consumer query_formatter_consumer(struct query_formatter *f)
{
    return (struct query_consumer){ .ctx = f, .begin = on_begin, .batch = on_batch, .end = on_end };
}
