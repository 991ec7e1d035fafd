#ifndef TSF_MAINTAIN_INTERNAL_H
#define TSF_MAINTAIN_INTERNAL_H
/* Shared by the files of lib/maintain and their tests. */
#include "maintain/maintain.h"

/* ---- rows (maintain_rows.c) ---------------------------------------------------------------------------------- */

/*
 * A heap of batches with the table's fields that becomes sorted, partitioned output. Batches borrow; whoever adds them
 * keeps their memory until the rows are written.
 */
struct maintain_rows {
    const struct table *t;
    struct tsf_pool *pool;
    struct tsf_batch *batches;
    size_t n_batches, cap_batches;
    int64_t n_rows;
    struct tsf_arena *arenas;   /* one per column: what unite makes */
};
enum tsf_err maintain_rows_add(struct maintain_rows *r, const struct tsf_batch *b, struct tsf_error *err);
void maintain_rows_reset(struct maintain_rows *r); /* forgets the batches and what was made of them */
void maintain_rows_release(struct maintain_rows *r);
/*
 * All batches as one, dictionaries united; lives until reset. Columns are made in parallel. String bytes stay borrowed.
 */
enum tsf_err maintain_rows_unite(struct maintain_rows *r, struct tsf_arena *a, struct tsf_batch *out, struct tsf_error *err);
/* Sorted order of the table. */
enum tsf_err maintain_rows_order(const struct maintain_rows *r, const struct tsf_batch *b, struct tsf_arena *a, uint32_t **perm_out,
                                 struct tsf_error *err);
/*
 * Of rows with equal dedup keys (and partition) keep the last in batch order. perm is compacted in place; *n its length.
 * Without dedup keys nothing happens.
 */
enum tsf_err maintain_rows_dedup(const struct table *t, const struct tsf_batch *b, uint32_t *perm, int64_t *n, struct tsf_arena *a,
                                 struct tsf_error *err);
/* ---- dedup across chunks (maintain_dedup.c) --------------------------------------------------------------------- */

/* Keys seen so far, in so many bytes. Dedup keys must be flat columns. */
struct maintain_seen;
enum tsf_err maintain_seen_new(int64_t bytes, struct maintain_seen **out, struct tsf_error *err);
void maintain_seen_free(struct maintain_seen *s);
/* Of rows perm[0..n) without duplicates among them: drop those whose key was seen, remember the others. Newest chunk first. */
enum tsf_err maintain_seen_drop(struct maintain_seen *s, const struct table *t, const struct tsf_batch *b, uint32_t *perm, int64_t *n,
                                struct tsf_error *err);

/* Hand rows perm[0..n) of b to a writer, in slices; gathers columns in parallel when pool is given. */
enum tsf_err maintain_rows_write(const struct tsf_batch *b, const uint32_t *perm, int64_t n, struct table_writer *w,
                                 struct tsf_pool *pool, struct tsf_error *err);

/* ---- merging (maintain_merge.c) ---------------------------------------------------------------------------------- */

struct maintain_merge_input {
    struct delta_file file;     /* of the snapshot */
};
/*
 * Write the rows of some files of one partition in the table's sort order. Memory: about memory_limit, whatever the sizes;
 * see the top of the file for how.
 */
enum tsf_err maintain_merge(struct table *t, const struct maintain_merge_input *inputs, int n_inputs, struct table_writer *w,
                            struct tsf_pool *pool, int64_t memory_limit, int64_t *rows_out, struct tsf_error *err);

/* ---- filters ------------------------------------------------------------------------------------------------------- */

/* "key=value/key=value" against a file's partition. Unknown keys are TSF_ERR_INVALID. NULL filter matches all. */
struct maintain_filter {
    int n;
    int *keys;                  /* partition order */
    struct tsf_value *values;
};
enum tsf_err maintain_filter_parse(const struct table *t, const char *text, struct tsf_arena *a, struct maintain_filter *out,
                                   struct tsf_error *err);
bool maintain_filter_match(const struct maintain_filter *f, const struct tsf_value *partition);
/* The day of a partition in microseconds (its date column), or fallback when the table has none. */
int64_t maintain_partition_us(const struct table *t, const struct tsf_value *partition, int64_t fallback);
/* Delete files that were written for a change that did not commit. Best effort. */
void maintain_discard(struct table *t, const struct delta_change *change);

#endif
