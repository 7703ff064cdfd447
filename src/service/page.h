#ifndef CLARY_SERVICE_PAGE_H
#define CLARY_SERVICE_PAGE_H

/* What claryd answers to a browser and to its own command line: `/` shows what runs, `/_clary/...` are the
 * calls of `clary status`, `clary reset` and health checks. */

#include "net/http_worker.h"
#include "service/call.h"

struct Page {
    StrBuf *out;
    Arena *arena;
    int rows; /* of the current table */
};

/* A table: begin, then rows of cells, then end, which says `none` when there was no row. */
void page_table_begin(Page *page, const char *title, const char *const *columns);
void page_row_begin(Page *page);
void page_cell(Page *page, Str text);
void page_state(Page *page, Str state); /* coloured, and in words */
void page_time(Page *page, double seconds);
void page_row_end(Page *page);
void page_table_end(Page *page, const char *none);

/* HttpHandler.head: true when the request is one of these and has been taken. */
bool page_head(Server *server, HttpWorkers *workers, HttpExchange *exchange);

/* Tables for the parts whose folders have none (page_tables.c). */
void endpoints_page(Server *server, Page *page);
void buckets_page(Server *server, Page *page);

#endif
