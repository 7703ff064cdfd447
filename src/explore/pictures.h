#ifndef CLARY_EXPLORE_PICTURES_H
#define CLARY_EXPLORE_PICTURES_H

/* Figures of columns: what the report and `clary chart` draw.
 *
 * Each fills a figure whose arrays and texts live in `arena`; false (or n_layers 0) means that there
 * is nothing to draw.  Every figure says in its note how many values it shows. */

#include "chart/figure.h"
#include "explore/profile.h"

enum {
    PICTURE_POINTS_MAX = 20000, /* of a scatter plot; above, cells coloured by their counts */
    PICTURE_GROUPS_MAX = 8,     /* boxes, colours, stacks side by side; the rest is "other" */
    PICTURE_CELLS = 40,         /* of a density, each way */
};

/* Numbers of a column as doubles: times as seconds, truths as 0 and 1; NaN: missing or infinite.
 * NULL for texts and categories. */
double *picture_numbers(const Column *column, Arena *arena);

/* Groups of a column: a category, a truth, or a number or text with few values.  Codes below 0 are
 * missing; beyond PICTURE_GROUPS_MAX the rarest are one group "other".  False: it has too many. */
typedef struct Groups {
    int32_t *codes;
    Str *names;
    int64_t *counts;
    int32_t n;
} Groups;
bool picture_groups(const Column *column, int32_t max, Arena *arena, Groups *ret);

/* A histogram with a box plot above it, from the profile; of times without the box. */
bool picture_histogram(const ColumnProfile *c, Arena *arena, Figure *figure);

/* The most frequent values as horizontal bars; the rest as one quiet bar. */
bool picture_top(const ColumnProfile *c, Arena *arena, Figure *figure);

/* Points, or a density of cells where there are more than PICTURE_POINTS_MAX; `by` (or NULL)
 * colours and shapes the points.  `points_max` bounds the points drawn. */
bool picture_scatter(Str x_name, const double *x, Str y_name, const double *y, int64_t n,
                     const Groups *by, AxisKind x_kind, Arena *arena, Figure *figure);

/* A box a group: quartiles, whiskers to the last value within 1.5 IQR, outliers as rings. */
bool picture_boxes(Str name, const double *y, int64_t n, Str by_name, const Groups *by,
                   Arena *arena, Figure *figure);
/* The same as densities mirrored, with the quartiles. */
bool picture_violins(Str name, const double *y, int64_t n, Str by_name, const Groups *by,
                     Arena *arena, Figure *figure);

/* For each group of `a` the shares of the groups of `b`, stacked to 1. */
bool picture_shares(Str a_name, const Groups *a, Str b_name, const Groups *b, int64_t n_rows,
                    Arena *arena, Figure *figure);

/* A square matrix of values from -1 to 1, its columns in the order of `order` (n_shown of them). */
bool picture_correlation(Str title, const double *r, int32_t stride, const int32_t *order,
                         const Str *names, int32_t n_shown, Arena *arena, Figure *figure);

/* The order of an average-linkage clustering by 1 - |r|: what goes together stands together. */
void picture_cluster_order(const double *r, int32_t n, int32_t *ret_order);

/* Missing values: a column each, blocks of rows downward, darker the more are missing. */
bool picture_missing(const Frame *frame, const int32_t *columns, int32_t n, Arena *arena,
                     Figure *figure);

/* A density curve: a Gaussian kernel, Silverman's width, over `points` places; y has `points`. */
void picture_density(const double *sorted, int64_t n, double low, double high, int points,
                     double *y);

#endif
