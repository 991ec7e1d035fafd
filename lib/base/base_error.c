#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the strerror_r that returns text */
#endif
#include "base/base.h"

#include <stdio.h>

static void error_record(struct tsf_error *err, enum tsf_err code, const char *fmt, va_list ap)
{
    err->code = code;
    err->sys_errno = 0;
    err->http_status = 0;
    err->offset = -1;
    err->sqlstate[0] = '\0';
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
}

/*
 * The caller gets the code it passed even when an older cause stays in *err: control flow follows what failed now,
 * the message tells what failed first.
 */
enum tsf_err tsf_fail(struct tsf_error *err, enum tsf_err code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL || err->code != TSF_OK)
        return code;
    va_start(ap, fmt);
    error_record(err, code, fmt, ap);
    va_end(ap);
    return code;
}

static enum tsf_err error_code_of_errno(int e)
{
    switch (e) {
    case ENOENT:
        return TSF_ERR_NOT_FOUND;
    case ENOMEM:
        return TSF_ERR_NOMEM;
    default:
        return TSF_ERR_IO;
    }
}

enum tsf_err tsf_fail_errno(struct tsf_error *err, const char *fmt, ...)
{
    int e = errno;
    enum tsf_err code = error_code_of_errno(e);
    char why[96];
    size_t len;
    va_list ap;

    if (err == NULL || err->code != TSF_OK)
        return code;
    va_start(ap, fmt);
    error_record(err, code, fmt, ap);
    va_end(ap);
    err->sys_errno = e;
    len = strlen(err->msg);
    snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror_r(e, why, sizeof(why)));
    errno = e;
    return code;
}

enum tsf_err tsf_fail_at(struct tsf_error *err, int64_t offset, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL || err->code != TSF_OK)
        return TSF_ERR_FORMAT;
    va_start(ap, fmt);
    error_record(err, TSF_ERR_FORMAT, fmt, ap);
    va_end(ap);
    err->offset = offset;
    return TSF_ERR_FORMAT;
}

enum tsf_err tsf_fail_sql(struct tsf_error *err, const char *sqlstate, int64_t offset, const char *fmt, ...)
{
    /* Class 0A is "feature not supported"; all others are the statement's or its data's fault. */
    enum tsf_err code = strncmp(sqlstate, "0A", 2) == 0 ? TSF_ERR_UNSUPPORTED : TSF_ERR_INVALID;
    va_list ap;

    if (err == NULL || err->code != TSF_OK)
        return code;
    va_start(ap, fmt);
    error_record(err, code, fmt, ap);
    va_end(ap);
    err->offset = offset;
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
    return code;
}

enum tsf_err tsf_fail_nomem(struct tsf_error *err)
{
    return tsf_fail(err, TSF_ERR_NOMEM, "out of memory");
}

enum tsf_err tsf_prepend(struct tsf_error *err, enum tsf_err code, const char *fmt, ...)
{
    char where[sizeof(err->msg)];
    size_t where_len, msg_len;
    va_list ap;

    if (err == NULL || code == TSF_OK || code == TSF_END)
        return code;
    va_start(ap, fmt);
    vsnprintf(where, sizeof(where), fmt, ap);
    va_end(ap);
    if (err->code == TSF_OK) /* a quiet code: all we know is where */
        return tsf_fail(err, code, "%s", where);
    where_len = strlen(where);
    msg_len = strlen(err->msg);
    if (where_len > sizeof(err->msg) / 2) /* keep room for the cause, it matters more */
        where_len = sizeof(err->msg) / 2;
    if (msg_len > sizeof(err->msg) - 1 - where_len - 2)
        msg_len = sizeof(err->msg) - 1 - where_len - 2;
    memmove(err->msg + where_len + 2, err->msg, msg_len);
    memcpy(err->msg, where, where_len);
    memcpy(err->msg + where_len, ": ", 2);
    err->msg[where_len + 2 + msg_len] = '\0';
    return err->code;
}

void tsf_hint(struct tsf_error *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL || err->hint[0] != '\0')
        return;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

void tsf_error_reset(struct tsf_error *err)
{
    if (err != NULL) {
        err->code = TSF_OK;
        err->sys_errno = 0;
        err->http_status = 0;
        err->offset = -1;
        err->sqlstate[0] = err->msg[0] = err->hint[0] = '\0';
    }
}
