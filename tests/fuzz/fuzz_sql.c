/* SQL text -> tree -> plan -> optimized plan -> EXPLAIN, over a table that is nowhere. */
#include <stdlib.h>

#include "../unit/query_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum tsf_err plan_one(struct query_session *s, const PgQuery__Node *n, struct tsf_error *err)
{
    struct tsf_buf text = TSF_BUF_INIT(1 << 20);
    struct query_plan plan;
    struct query_insert insert;
    enum tsf_err rc = TSF_OK;
    const int64_t now = 1795176000000000;
    if (n->node_case == PG_QUERY__NODE__NODE_SELECT_STMT) {
        rc = query_bind(s, n->select_stmt, now, &plan, err);
    } else if (n->node_case == PG_QUERY__NODE__NODE_INSERT_STMT) {
        rc = query_bind_insert(s, n->insert_stmt, now, &insert, err);
        plan = insert.plan;
    } else {
        return TSF_OK;
    }
    if (rc == TSF_OK && (rc = query_optimize(s, &plan, &s->stmt, err)) == TSF_OK)
        rc = query_explain(&plan, false, &text, err);
    tsf_buf_release(&text);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "p" }, *const values[] = { "1" };
    struct query_options options = { .n_params = 1, .param_names = names, .param_values = values };
    struct query_session *s = NULL;
    struct tsf_arena tree = TSF_ARENA_INIT;
    struct query_parsed parsed;
    struct tsf_error err = TSF_ERROR_INIT;
    char *sql;
    if (size == 0 || size > 4096 || !(sql = malloc(size)))
        return 0;
    fake_init();
    options.project = data[0] & 1 ? "p1" : NULL;
    memcpy(sql, data + 1, size - 1);
    sql[size - 1] = 0;
    if (query_session_new(&options, &s, &err) == TSF_OK) {
        s->lookup = fake_lookup;
        s->stmt.max = 256 << 20;
        if (query_parse(&s->opts, sql, &tree, &parsed, &err) == TSF_OK)
            for (size_t i = 0; i < parsed.tree->n_stmts && i < 16; i++) {
                tsf_error_reset(&err);
                plan_one(s, parsed.tree->stmts[i]->stmt, &err);
                tsf_arena_reset(&s->stmt);
            }
    }
    query_session_free(s);
    tsf_arena_release(&tree);
    free(sql);
    return 0;
}
