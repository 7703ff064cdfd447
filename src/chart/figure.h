#ifndef CLARY_CHART_FIGURE_H
#define CLARY_CHART_FIGURE_H

/* One grammar for all pictures: a figure is two axes and layers of marks, in data units.
 *
 * Histograms, box plots, heat maps and scatter plots are all rectangles, lines, points, areas and
 * texts; who knows the statistics builds the layers, this draws them.  Colours are Okabe and Ito's
 * (series) and viridis (amounts); series also differ by dash, shape or hatching, signed amounts
 * carry their sign as text, so that nothing is said by colour alone.
 *
 * A figure owns nothing: its arrays live until it has been drawn. */

#include "base/strbuf.h"

typedef enum FigureMark {
    MARK_RECT,    /* from (x, y) to (x2, y2), with `text` in the middle where it fits */
    MARK_LINE,    /* through (x, y) in order; a value that is not finite lifts the pen */
    MARK_POINT,   /* at (x, y), of radius `size` pixels */
    MARK_AREA,    /* between (x, y) and (x2 or x, y2 or y) */
    MARK_SEGMENT, /* from (x, y) to (x2, y2) */
    MARK_TEXT,    /* `text` centered at (x, y) */
    MARK_SLICE,   /* of a pie: from x to x2, shares of the circle; one a series */
} FigureMark;

typedef enum FigureTint {
    TINT_SERIES,     /* by the layer's series */
    TINT_QUIET,      /* grey */
    TINT_SEQUENTIAL, /* by `value`, 0 to 1: viridis */
    TINT_DIVERGING,  /* by `value`, -1 to 1 */
} FigureTint;

typedef struct FigureLayer {
    FigureMark mark;
    FigureTint tint;
    int series;
    bool hollow;   /* an outline only */
    bool unlisted; /* not in the data table: decoration */
    Str name;      /* in the legend; "": not there */
    int64_t n;
    const double *x, *y, *x2, *y2;
    const double *size, *value;
    const Str *text;
} FigureLayer;

typedef enum AxisKind {
    AXIS_LINEAR,
    AXIS_CATEGORY, /* names at 0, 1, ... */
    AXIS_TIME,     /* seconds since 1970, UTC */
    AXIS_HIDDEN,
} AxisKind;

typedef struct FigureAxis {
    AxisKind kind;
    Str label;
    const Str *names;
    int32_t n_names;
    bool fixed; /* use low and high; else the range of the data */
    double low, high;
    bool from_zero; /* 0 belongs to the axis: bars */
    bool down;      /* grows downward: matrices */
} FigureAxis;

enum { FIGURE_LAYERS_MAX = 64, FIGURE_SERIES = 8 };

typedef struct Figure {
    Str title, alt; /* alt: what it shows, for those who do not see it; "": the title */
    Str note;       /* below: n, what was left out, what was sampled */
    FigureAxis x, y;
    FigureLayer layers[FIGURE_LAYERS_MAX];
    int n_layers;
    int width, height; /* 0: 460 x 300 */
    int id;            /* another one for every figure of a page */
} Figure;

/* Appends a layer and returns it; what is beyond FIGURE_LAYERS_MAX lands in the last one. */
FigureLayer *figure_add(Figure *figure, FigureMark mark, int64_t n);

/* As an <svg> element, or with `alone` as a file of its own with its style sheet. */
void figure_svg(const Figure *figure, bool alone, StrBuf *out);

/* The data behind it, as CSV: layer, mark, x, y, x2, y2, value, text. */
void figure_data(const Figure *figure, StrBuf *out);

/* viridis at t in [0, 1], as 0xRRGGBB (a polynomial of the map's published colours). */
uint32_t viridis(double t);

#endif
