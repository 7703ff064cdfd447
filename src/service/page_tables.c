/* Tables of the page at `/`: what is served and what is stored.  Each shows the newest few. */

#include "service/page.h"

#include "base/log.h"

#include <stdio.h>

enum { ROWS_SHOWN = 20, OBJECTS_COUNTED = 10000 };

static bool show_endpoints(void *arg, DbTx *tx, Error *err)
{
    Page *page = arg;
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT name, state, region, created, modified FROM resource WHERE kind = 'endpoint' ORDER BY created DESC "
            "LIMIT ?",
            "i", (int64_t)ROWS_SHOWN))
        return false;
    while (db_next(&rows, err)) {
        page_row_begin(page);
        page_cell(page, db_text(&rows, 0));
        page_state(page, db_text(&rows, 1));
        page_cell(page, db_text(&rows, 2));
        page_time(page, db_real(&rows, 3));
        page_time(page, db_real(&rows, 4));
        page_row_end(page);
    }
    return err->kind == ERROR_NONE;
}

void endpoints_page(Server *server, Page *page)
{
    static const char *const columns[] = {"endpoint", "state",       "region",
                                          "created",  "last change", NULL};
    Error err = {0};
    page_table_begin(page, "Endpoints", columns);
    if (!db_read(server->db, show_endpoints, page, &err)) log_warning("page: %s", err.text);
    page_table_end(page, "No endpoints yet.");
}

static bool show_buckets(void *arg, DbTx *tx, Error *err)
{
    Page *page = arg;
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT name, region, created, (SELECT count(*) FROM (SELECT 1 FROM s3_object o WHERE o.bucket = b.id AND "
            "o.marker = 0 LIMIT ?) counted) FROM s3_bucket b ORDER BY created DESC LIMIT ?",
            "ii", (int64_t)OBJECTS_COUNTED + 1, (int64_t)ROWS_SHOWN))
        return false;
    while (db_next(&rows, err)) {
        char count[32];
        int64_t n = db_int(&rows, 3);
        snprintf(count, sizeof count, n > OBJECTS_COUNTED ? "more than %lld" : "%lld",
                 (long long)MIN(n, (int64_t)OBJECTS_COUNTED));
        page_row_begin(page);
        page_cell(page, db_text(&rows, 0));
        page_cell(page, str_of(count));
        page_cell(page, db_text(&rows, 1));
        page_time(page, db_real(&rows, 2));
        page_row_end(page);
    }
    return err->kind == ERROR_NONE;
}

void buckets_page(Server *server, Page *page)
{
    static const char *const columns[] = {"bucket", "objects", "region", "created", NULL};
    Error err = {0};
    page_table_begin(page, "Buckets", columns);
    if (!db_read(server->db, show_buckets, page, &err)) log_warning("page: %s", err.text);
    page_table_end(page, "No buckets yet: aws s3 mb s3://data makes one.");
}
