/* libsvm text: "label[:weight] [qid:Q] index:value ...", one row a line, "#" begins a comment.
 *
 * The text is cut at line ends into pieces of about 256 KiB, which threads parse into arrays of
 * their own; these are appended to the result in the order of the file, a few megabytes at a time,
 * so that memory is the result plus little.
 *
 * A feature that is not written is missing.  Indices are kept as the file has them; Dataset's
 * index_min tells files that count from 1. */

#include "data/readers.h"

#include "base/memory.h"
#include "data/problems.h"
#include "format/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PIECE_BYTES = 256 << 10,
    PIECES_MIN = 8, /* in a batch; more with more threads */
    BAD_TEXT = 200,
};

typedef struct BadLine {
    int64_t line; /* in its piece, from 1 */
    int64_t row;  /* rows before it in its piece */
    char text[BAD_TEXT];
} BadLine;

/* What one piece of text holds. */
typedef struct Piece {
    const char *begin, *end;
    int64_t n_lines, n_rows, n_values;
    int64_t rows_capacity, values_capacity;
    float *label, *weight;
    int64_t *group;
    int64_t *row_end; /* n_values after each row */
    int32_t *col;
    float *value;
    int32_t col_min, col_max;
    bool any_weight, any_group, any_without_group;
    int64_t n_bad;
    BadLine bad[PROBLEMS_SHOWN];
    int64_t n_unknown;
    bool no_memory;
    Error err; /* with no_memory */
} Piece;

typedef struct Libsvm {
    RowBuilder rows;
    const ReadOptions *options;
    const DatasetRoles *roles;
    Pool *pool;
    ReadReport *report;
    Piece *pieces;
    int32_t n_pieces; /* room */
    Problems problems;
    int64_t n_lines; /* of the current file, before the batch */
    int32_t col_max, col_min;
    int32_t cols_known; /* of the model's schema: what lies beyond is left out; INT32_MAX without */
    bool with_group, without_group;
} Libsvm;

/* ---- one line ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A number in a text of known end; the short ones (up to 7 digits and 10 after the point) in line:
 * digits / 10^k is one exact float operation on exact operands, so it is rounded correctly. */
static inline const char *parse_value(const char *at, const char *end, float *ret_value)
{
    static const float powers[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f,
                                   1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
    const char *p = at;
    bool negative = p < end && *p == '-';
    p += negative;
    uint32_t digits = 0;
    int n = 0, fraction = 0;
    for (; p < end && (unsigned)(*p - '0') < 10 && n < 8; p++, n++)
        digits = digits * 10 + (unsigned)(*p - '0');
    if (p < end && *p == '.') {
        const char *point = p++;
        for (; p < end && (unsigned)(*p - '0') < 10 && n < 8; p++, n++)
            digits = digits * 10 + (unsigned)(*p - '0');
        fraction = (int)(p - point) - 1;
    }
    if (n == 0 || n >= 8 || (p < end && !is_space(*p) && *p != ':' && *p != '\n' && *p != '#'))
        return number_parse_float(at, end, ret_value);
    float value = (float)digits / powers[fraction];
    *ret_value = negative ? -value : value;
    return p;
}

static const char *parse_index(const char *at, const char *end, uint64_t *ret_index)
{
    uint64_t index = 0;
    const char *p = at;
    for (; p < end && (unsigned)(*p - '0') < 10 && p - at < 18; p++)
        index = index * 10 + (unsigned)(*p - '0');
    *ret_index = index;
    return p;
}

static const char *token_end(const char *at, const char *end)
{
    while (at < end && !is_space(*at) && *at != '#') at++;
    return at;
}

static bool bad(char *text, const char *from, const char *end, const char *what)
{
    int n = (int)MIN(token_end(from, end) - from, 40);
    snprintf(text, BAD_TEXT, "'%.*s' %s", n, from, what);
    return false;
}

typedef struct Keyed {
    int32_t col;
    float value;
} Keyed;

static int compare_keyed(const void *a, const void *b)
{
    int32_t x = ((const Keyed *)a)->col, y = ((const Keyed *)b)->col;
    return (x > y) - (x < y);
}

static bool sort_row(int32_t *col, float *value, int64_t n, char *text)
{
    Keyed *keyed = malloc((size_t)n * sizeof *keyed);
    if (!keyed) memory_exhausted((size_t)n * sizeof *keyed);
    for (int64_t k = 0; k < n; k++) keyed[k] = (Keyed){col[k], value[k]};
    qsort(keyed, (size_t)n, sizeof *keyed, compare_keyed);
    int64_t repeated = 0;
    for (int64_t k = 0; k < n; k++) {
        col[k] = keyed[k].col;
        value[k] = keyed[k].value;
        if (k > 0 && col[k] == col[k - 1] && !repeated) repeated = k;
    }
    free(keyed);
    if (!repeated) return true;
    snprintf(text, BAD_TEXT, "feature %d occurs twice", col[repeated]);
    return false;
}

/* Label, weight and qid of a line; *ret_rest is where its features begin. */
static bool parse_front(Piece *piece, const char *at, const char *end, const char **ret_rest,
                        char *text)
{
    int64_t row = piece->n_rows;
    float label, weight = 1;
    const char *p = parse_value(at, end, &label);
    if (p == at) return bad(text, at, end, "where a label should be, is no number");
    if (p < end && *p == ':') {
        const char *from = p + 1;
        p = parse_value(from, end, &weight);
        if (p == from) return bad(text, at, end, "should be label:weight");
        piece->any_weight = true;
    }
    if (p < end && !is_space(*p) && *p != '#')
        return bad(text, at, end, "where a label should be, is no number");
    if (!isfinite(label)) return bad(text, at, end, "is no label; it must be a finite number");

    while (p < end && is_space(*p)) p++;
    if (end - p > 4 && memcmp(p, "qid:", 4) == 0) {
        uint64_t group;
        const char *q = parse_index(p + 4, end, &group);
        if (q == p + 4 || (q < end && !is_space(*q) && *q != '#'))
            return bad(text, p, end, "should be qid:NUMBER");
        piece->group[row] = (int64_t)group;
        piece->any_group = true;
        p = q;
    } else {
        piece->group[row] = -1;
        piece->any_without_group = true;
    }
    piece->label[row] = label;
    piece->weight[row] = weight;
    *ret_rest = p;
    return true;
}

/* A row at the end of the piece's arrays; it counts only when n_rows is raised. */
static bool parse_line(Piece *piece, const char *at, const char *end, int32_t cols_known,
                       int64_t *ret_n_values, char *text)
{
    const char *p = end;
    if (!parse_front(piece, at, end, &p, text)) return false;

    int32_t *col = piece->col;
    float *value = piece->value;
    int64_t n = piece->n_values, unknown = 0;
    int64_t before = -1;
    bool rising = true;
    for (;;) {
        while (p < end && is_space(*p)) p++;
        if (p == end || *p == '#') break;
        uint64_t index;
        const char *token = p, *q = parse_index(p, end, &index);
        if (q == p || q == end || *q != ':') return bad(text, token, end, "should be index:value");
        if (index >= INT32_MAX)
            return bad(text, token, end, "has an index beyond the limit of 2147483646");
        p = parse_value(++q, end, &value[n]);
        if (p == q || (p < end && !is_space(*p) && *p != '#'))
            return bad(text, token, end, "has a value that is no number");
        if (index >= (uint64_t)cols_known) {
            unknown++;
            continue;
        }
        col[n++] = (int32_t)index;
        rising = rising && before < (int64_t)index;
        before = (int64_t)index;
    }
    if (!rising &&
        !sort_row(col + piece->n_values, value + piece->n_values, n - piece->n_values, text))
        return false;
    piece->n_unknown += unknown;
    *ret_n_values = n;
    return true;
}

/* ---- a piece ---- */

static bool piece_room(Piece *piece)
{
    int64_t bytes = piece->end - piece->begin;
    int64_t rows = bytes / 2 + 1, values = bytes / 4 + 2; /* "1\n" and " 1:1" are the shortest */
    Error *err = &piece->err;
    if (rows > piece->rows_capacity) {
        data_free(piece->label), data_free(piece->weight), data_free(piece->group),
            data_free(piece->row_end);
        piece->rows_capacity = 0;
        piece->label = data_array(float, rows, "reading", err);
        piece->weight = data_array(float, rows, "reading", err);
        piece->group = data_array(int64_t, rows, "reading", err);
        piece->row_end = data_array(int64_t, rows, "reading", err);
        if (!piece->label || !piece->weight || !piece->group || !piece->row_end) return false;
        piece->rows_capacity = rows;
    }
    if (values > piece->values_capacity) {
        data_free(piece->col), data_free(piece->value);
        piece->values_capacity = 0;
        piece->col = data_array(int32_t, values, "reading", err);
        piece->value = data_array(float, values, "reading", err);
        if (!piece->col || !piece->value) return false;
        piece->values_capacity = values;
    }
    return true;
}

static void parse_piece(Piece *piece, int32_t cols_known)
{
    const char *at = piece->begin, *end = piece->end;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) line_end = end;
        piece->n_lines++;
        const char *from = at;
        at = line_end + 1;
        while (from < line_end && is_space(*from)) from++;
        if (from == line_end || *from == '#') continue;

        UNINITIALIZED char text[BAD_TEXT];
        int64_t n_values;
        if (!parse_line(piece, from, line_end, cols_known, &n_values, text)) {
            if (piece->n_bad < PROBLEMS_SHOWN) {
                BadLine *place = &piece->bad[piece->n_bad];
                place->line = piece->n_lines;
                place->row = piece->n_rows;
                memcpy(place->text, text, sizeof text);
            }
            piece->n_bad++;
            continue;
        }
        for (int64_t k = piece->n_values; k < n_values; k++) {
            piece->col_max = MAX(piece->col_max, piece->col[k]);
            piece->col_min = MIN(piece->col_min, piece->col[k]);
        }
        piece->row_end[piece->n_rows++] = piece->n_values = n_values;
    }
}

static void run_piece(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin, (void)end;
    Libsvm *libsvm = arg;
    Piece *piece = &libsvm->pieces[chunk];
    piece->n_lines = piece->n_rows = piece->n_values = piece->n_bad = piece->n_unknown = 0;
    piece->any_weight = piece->any_group = piece->any_without_group = false;
    piece->col_max = -1;
    piece->col_min = INT32_MAX;
    piece->no_memory = !piece_room(piece);
    if (!piece->no_memory) parse_piece(piece, libsvm->cols_known);
}

/* ---- together ---- */

static bool append_rows(Libsvm *libsvm, const Piece *piece, int64_t n_rows, Error *err)
{
    Dataset *dataset = libsvm->rows.dataset;
    if (n_rows == 0) return true;
    int64_t n_values = piece->row_end[n_rows - 1], at = dataset->n_rows,
            value_at = libsvm->rows.n_values;

    if (piece->any_weight && !dataset->weight) {
        dataset->weight = data_array(float, libsvm->rows.rows_capacity, "the weights", err);
        if (!dataset->weight) return false;
        for (int64_t i = 0; i < at; i++) dataset->weight[i] = 1;
    }
    if (piece->any_group && !libsvm->rows.group_ids) {
        libsvm->rows.group_ids = data_array(int64_t, libsvm->rows.rows_capacity, "the groups", err);
        if (!libsvm->rows.group_ids) return false;
    }
    if (!rows_reserve(&libsvm->rows, n_rows, n_values, err)) return false;

    if (dataset->label_width)
        memcpy(dataset->label + at, piece->label, (size_t)n_rows * sizeof(float));
    if (dataset->weight)
        memcpy(dataset->weight + at, piece->weight, (size_t)n_rows * sizeof(float));
    if (libsvm->rows.group_ids)
        memcpy(libsvm->rows.group_ids + at, piece->group, (size_t)n_rows * sizeof(int64_t));
    for (int64_t i = 0; i < n_rows; i++)
        dataset->row_start[at + i + 1] = value_at + piece->row_end[i];
    if (n_values) {
        memcpy(dataset->col + value_at, piece->col, (size_t)n_values * sizeof(int32_t));
        memcpy(dataset->value + value_at, piece->value, (size_t)n_values * sizeof(float));
    }
    libsvm->rows.n_values += n_values;
    dataset->n_rows += n_rows;
    return true;
}

static bool append_piece(Libsvm *libsvm, const Piece *piece, const char *name, Error *err)
{
    for (int64_t k = 0; k < MIN(piece->n_bad, (int64_t)PROBLEMS_SHOWN); k++) {
        const BadLine *place = &piece->bad[k];
        if (!libsvm->options->skip_bad_rows)
            problems_add(&libsvm->problems, "line %lld of '%s': %s",
                         (long long)(libsvm->n_lines + place->line), name, place->text);
        else if (libsvm->report->n_skipped == 0 && k == 0)
            snprintf(libsvm->report->first_skipped, sizeof libsvm->report->first_skipped,
                     "line %lld of '%s': %s", (long long)(libsvm->n_lines + place->line), name,
                     place->text);
    }
    if (libsvm->options->skip_bad_rows)
        libsvm->report->n_skipped += piece->n_bad;
    else if (piece->n_bad > PROBLEMS_SHOWN)
        libsvm->problems.n += piece->n_bad - PROBLEMS_SHOWN;

    int64_t n_rows = piece->n_rows, max = libsvm->options->rows_max;
    if (max) n_rows = MIN(n_rows, max - libsvm->rows.dataset->n_rows);
    libsvm->n_lines += piece->n_lines;
    libsvm->with_group = libsvm->with_group || piece->any_group;
    libsvm->without_group = libsvm->without_group || piece->any_without_group;
    libsvm->col_max = MAX(libsvm->col_max, piece->col_max);
    libsvm->col_min = MIN(libsvm->col_min, piece->col_min);
    libsvm->rows.dataset->n_unknown += piece->n_unknown;
    if (libsvm->with_group && libsvm->without_group)
        return error_set(
            err, ERROR_INVALID,
            "some rows have a qid and others have none, up to line %lld of '%s'; all or none must "
            "have one",
            (long long)libsvm->n_lines, name);
    return libsvm->problems.n || append_rows(libsvm, piece, n_rows, err);
}

static bool is_full(const Libsvm *libsvm)
{
    int64_t max = libsvm->options->rows_max;
    return max && libsvm->rows.dataset->n_rows >= max;
}

/* Reads whole lines, batch by batch. */
static bool read_lines(Libsvm *libsvm, const SourceBlock *block, const char *end, Error *err)
{
    const char *at = block->bytes.ptr;
    while (at < end && !is_full(libsvm)) {
        const char *batch = at;
        size_t n = 0;
        for (; n < (size_t)libsvm->n_pieces && at < end; n++) {
            const char *stop = end;
            if (end - at > PIECE_BYTES) {
                stop = memchr(at + PIECE_BYTES, '\n', (size_t)(end - at - PIECE_BYTES));
                stop = stop ? stop + 1 : end;
            }
            if (stop - at > LINE_BYTES_MAX + PIECE_BYTES)
                return error_set(err, ERROR_LIMIT,
                                 "reading '%s': a line of more than %d bytes at byte %lld",
                                 block->name, LINE_BYTES_MAX,
                                 (long long)(block->offset + (at - block->bytes.ptr)));
            libsvm->pieces[n].begin = at;
            libsvm->pieces[n].end = at = stop;
        }
        parallel_for(libsvm->pool, n, 1, run_piece, libsvm);
        for (size_t k = 0; k < n && !is_full(libsvm); k++) {
            if (libsvm->pieces[k].no_memory) {
                *err = libsvm->pieces[k].err;
                return false;
            }
            if (!append_piece(libsvm, &libsvm->pieces[k], block->name, err)) return false;
        }
        source_done(block, batch, at);
    }
    return true;
}

static bool read_all(Libsvm *libsvm, Source *source, Error *err)
{
    SourceBlock block = {0};
    for (size_t keep = 0; !is_full(libsvm);) {
        if (!source_next(source, keep, &block, err)) return false;
        if (!block.name) break;
        if (block.first) libsvm->n_lines = 0;
        const char *end = block.bytes.ptr + block.bytes.len;
        if (!block.last) {
            const char *newline = block.bytes.len ? memrchr(block.bytes.ptr, '\n', block.bytes.len)
                                                  : NULL;
            end = newline ? newline + 1 : block.bytes.ptr;
        }
        if (!read_lines(libsvm, &block, end, err)) return false;
        keep = block.last ? 0 : (size_t)(block.bytes.ptr + block.bytes.len - end);
        if (keep > LINE_BYTES_MAX)
            return error_set(err, ERROR_LIMIT,
                             "reading '%s': a line of more than %d bytes at byte %lld", block.name,
                             LINE_BYTES_MAX, (long long)(block.offset + (end - block.bytes.ptr)));
    }
    return !libsvm->problems.n || problems_error(&libsvm->problems, err);
}

static bool finish(Libsvm *libsvm, Dataset **ret_dataset, Error *err)
{
    Dataset *dataset = libsvm->rows.dataset;
    dataset->index_min = libsvm->col_max >= 0 ? libsvm->col_min : 0;
    dataset->n_features = libsvm->roles->schema ? libsvm->roles->schema->n_features
                                                : libsvm->col_max + 1;
    if (dataset->n_features > FEATURES_MAX)
        return error_set(err, ERROR_LIMIT,
                         "feature index %d: at most %d features can be learned from",
                         libsvm->col_max, FEATURES_MAX);
    if (!rows_finish(&libsvm->rows, libsvm->roles, err)) return false;
    *ret_dataset = STEAL(libsvm->rows.dataset);
    return true;
}

bool dataset_read_libsvm(Source *source, const ReadOptions *options, const DatasetRoles *roles,
                         Pool *pool, Dataset **ret_dataset, ReadReport *report, Error *err)
{
    ARENA(scratch);
    Libsvm libsvm = {
        .rows = {.dataset = dataset_new(), .sparse = true},
        .options = options,
        .roles = roles,
        .pool = pool,
        .report = report,
        .n_pieces = MAX(PIECES_MIN, 2 * pool_threads(pool)),
        .col_max = -1,
        .col_min = INT32_MAX,
        .cols_known = roles->schema ? roles->schema->n_features : INT32_MAX,
    };
    libsvm.rows.dataset->label_width = roles->no_target ? 0 : 1;
    libsvm.pieces = arena_array(&scratch, Piece, libsvm.n_pieces);
    bool ok = rows_reserve(&libsvm.rows, 1, 1, err) && read_all(&libsvm, source, err) &&
              finish(&libsvm, ret_dataset, err);
    for (int32_t k = 0; k < libsvm.n_pieces; k++) {
        Piece *piece = &libsvm.pieces[k];
        data_free(piece->label), data_free(piece->weight), data_free(piece->group),
            data_free(piece->row_end);
        data_free(piece->col), data_free(piece->value);
    }
    rows_clear(&libsvm.rows);
    return ok;
}
