#ifndef CLARY_NUM_SCREEN_H
#define CLARY_NUM_SCREEN_H

/* The nearest of many centers by 8-bit numbers: four times as many products an instruction as in fp32,
 * and a bound on what rounding may have done to them.  Where the best center is ahead of the second by more
 * than that, it is the nearest; other rows are left to nearest.h.
 *
 * Needs AVX-512 (VNNI). */

#include "base/error.h"
#include "num/nearest.h"

typedef struct Screen {
    int32_t k, d;
    float scale;      /* of the centers: 1 stands for it */
    float error;      /* largest distance of a center from what it was rounded to */
    float norm;       /* largest length of a rounded center */
    int8_t *packed;   /* tiles of centers; four numbers of each at a time */
    float *half_norm; /* |c|^2 / 2; of what fills up the last tile infinite */
    int32_t *offset;  /* 128 times the sum of the rounded numbers: rows are kept plus 128 */
    int32_t *scores;  /* of each caller: of all centers and the rows of a panel; and biases */
} Screen;

enum { SCREEN_CANDIDATES = 8 };

/* What is known of the 64 rows of a panel. */
typedef struct Screened {
    uint64_t certain; /* bit r: the nearest center of row r is known */
    _Alignas(64) int32_t index[NEAREST_ROWS];
    /* Bounds on the distances to the nearest center and to all others.  Where it is not certain and there
     * are not too many candidates, `lower` is one on the distances to all that are none. */
    _Alignas(64) float upper[NEAREST_ROWS], lower[NEAREST_ROWS];
    /* Of the other rows: how many may be the nearest, and which, unless they are too many. */
    int32_t n_candidates[NEAREST_ROWS], candidates[NEAREST_ROWS][SCREEN_CANDIDATES];
} Screened;

/* Whether this processor can, and whether it may pay. */
bool screen_possible(int32_t k, int32_t d);

/* `n_panels` callers may look at once. */
bool screen_init(Screen *screen, int32_t k, int32_t d, int n_panels, Error *err);
void screen_clear(Screen *screen);

/* Row-major centers, `stride` floats apart. */
void screen_pack(Screen *screen, const float *centers, int64_t stride);

/* Rows begin + rows[i], i < 64, whose sums of squares are norms[i] and whose numbers are at most `most`.
 * The n_next rows behind those are looked at next.  `panel` has room for 64 bytes per feature, the
 * features filled up to a multiple of 16.  `relative` and norm_max are those of nearest_bounds, `slot` the caller's number. */
void screen_find(const Screen *screen, const NearestLines *lines, int64_t begin,
                 const int32_t *rows, int32_t n_next, const float *norms, float most,
                 uint8_t *panel, int slot, float relative, float norm_max, Screened *ret);

#endif
