#ifndef CLARY_EXPLORE_PAGE_H
#define CLARY_EXPLORE_PAGE_H

/* What the files of the report's page share. */

#include "explore/pictures.h"

typedef struct Page {
    const Profile *profile;
    StrBuf *out;
    int figures;    /* drawn so far: each has its number */
    bool shortened; /* charts were left out to keep the page small */
} Page;

/* Charts are left out from here on, so that tables still fit below PAGE_BYTES_MAX. */
enum { PAGE_CHARTS_BYTES = 1500 * 1024 };

void page_open(Page *page, Str title);
void page_close(Page *page);
/* Draws in a box; not when the page is full. */
void page_figure(Page *page, Figure *figure);
/* "<tr>" of a name, a value and the sentence of `term` (or NULL). */
void page_row(Page *page, const char *name, Str value, const char *term);
Str page_number(double x, Arena *arena);
Str page_count(int64_t n, Arena *arena);             /* 1,234,567 */
Str page_share(int64_t n, int64_t of, Arena *arena); /* "12 (3.4 %)" */
Str page_moment(int64_t us, Arena *arena);

/* Cells with text escaped and clipped to `max` characters. */
void page_text(Page *page, Str text, size_t max);

void page_columns(Page *page); /* page_column.c */

#endif
