/* CSV to a frame: windows, pieces, rows, and reading again when a type turns out wrong.
 *
 * A window is a part of the text that begins with a row.  With several threads it is cut into pieces at
 * nominal places; the number of quotes before a place tells whether it lies inside quotes, so the
 * first newline behind it that does not, begins the piece.  That holds as long as no quote stands where
 * none may be; from the piece on where one does, rows are read byte by byte, which finds the end of
 * such a row at its newline.  Either way rows and fields are the same on any number of threads. */

#include "data/read_csv.h"

#include "data/csv_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 256 << 10, /* their ends are mapped memory, of which only what is used counts */
    PIECES_PER_THREAD = 4,
    PIECES_MAX = 64,
    ENDS_BEFORE = 16, /* room before ends[0], which keeps it aligned */
    PASSES_MAX = 4,
};

/* ---- pieces ---- */

static bool piece_room(CsvPiece *piece, size_t n, Error *err)
{
    if (piece->memory && n <= piece->capacity) return true;
    data_free(piece->memory);
    piece->capacity = n;
    piece->memory = data_array(uint32_t, n + ENDS_BEFORE + 80, "the ends of fields", err);
    if (!piece->memory) return false;
    piece->ends = piece->memory + ENDS_BEFORE;
    piece->ends[-1] = UINT32_MAX; /* + 1 is where the first field begins */
    return true;
}

/* Is every row as long as it should be, and none of them blank? */
static bool is_regular(const CsvPiece *piece, int32_t n_columns)
{
    const CsvIndex *index = &piece->index;
    if (index->bad_quote || index->nul || index->inside) return false;
    size_t n = (size_t)n_columns, n_rows = piece->n_ends / n;
    if (piece->n_ends != n_rows * n || index->n_rows != n_rows) return false;
    const char *text = piece->text.ptr;
    const uint32_t *ends = piece->ends;
    for (size_t r = 0; r < n_rows; r++, ends += n) {
        if (ends[n - 1] < piece->text.len && text[ends[n - 1]] != '\n') return false;
        if (n == 1 &&
            (ends[0] == ends[-1] + 1 || (ends[0] == ends[-1] + 2 && text[ends[0] - 1] == '\r')))
            return false;
    }
    return true;
}

/* Finds the fields of a piece; what is behind its last whole row is left. */
static void index_piece(CsvReader *reader, CsvPiece *piece, bool last)
{
    Error err;
    if (!piece_room(piece, piece->text.len, &err)) {
        csv_fail(reader, &err);
        return;
    }
    Str text = piece->text;
    csv_index(text, reader->separator, piece->ends, &piece->index);
    CsvIndex *index = &piece->index;
    size_t n = index->n_ends;
    bool ended = text.len == 0 ||
                 (n && piece->ends[n - 1] == text.len - 1 && text.ptr[text.len - 1] == '\n');
    if (last && !ended && !index->inside) {
        piece->ends[n++] = (uint32_t)text.len;
        index->n_rows++;
        piece->consumed = text.len;
    } else {
        while (n && text.ptr[piece->ends[n - 1]] != '\n') n--;
        piece->consumed = n ? piece->ends[n - 1] + 1 : 0;
        if (!last) index->inside = false; /* of the row that is left */
    }
    piece->n_ends = n;
    piece->n_runs = 0;
    uint32_t first = n >= (size_t)reader->n_columns ? piece->ends[reader->n_columns - 1] : 0;
    piece->crlf = first > 0 && text.ptr[first - 1] == '\r';
    piece->regular = is_regular(piece, reader->n_columns);
}

typedef struct Indexing {
    CsvReader *reader;
    bool last;
    size_t *quotes;
} Indexing;

static void index_chunk(void *arg, size_t chunk, size_t begin UNUSED, size_t end UNUSED)
{
    Indexing *indexing = arg;
    CsvReader *reader = indexing->reader;
    bool last = indexing->last && chunk + 1 == (size_t)reader->n_pieces;
    index_piece(reader, &reader->pieces[chunk], last);
}

static void count_chunk(void *arg, size_t chunk, size_t begin UNUSED, size_t end UNUSED)
{
    Indexing *indexing = arg;
    indexing->quotes[chunk] = csv_count_quotes(indexing->reader->pieces[chunk].text);
}

/* The first byte behind a newline outside quotes, or the end. */
static size_t next_row(Str text, size_t at, bool inside)
{
    for (; at < text.len; at++) {
        if (text.ptr[at] == '"') inside = !inside;
        if (!inside && text.ptr[at] == '\n') return at + 1;
    }
    return text.len;
}

/* Cuts the window into pieces that begin with a row. */
static void cut_window(CsvReader *reader, Str text)
{
    size_t n = chunk_count(text.len, PIECE_BYTES), quotes[PIECES_MAX];
    n = MIN(MAX(n, (size_t)1), (size_t)reader->pieces_max);
    size_t step = chunk_count(text.len, n);
    reader->n_pieces = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        reader->pieces[i].text = str_slice(text, MIN(i * step, text.len),
                                           MIN((i + 1) * step, text.len));
    if (n == 1) return;

    Indexing indexing = {.reader = reader, .quotes = quotes};
    parallel_for(reader->pool, n, 1, count_chunk, &indexing);
    size_t begin = 0, before = 0;
    for (size_t i = 0; i < n; i++) {
        before += quotes[i];
        size_t end = i + 1 < n ? next_row(text, MAX((i + 1) * step, begin), before & 1) : text.len;
        if (i + 1 < n && begin > (i + 1) * step) end = begin; /* a row longer than a piece */
        reader->pieces[i].text = str_slice(text, begin, end);
        begin = end;
    }
    /* A row to the end of the window leaves nothing to the pieces behind it; it belongs to the last. */
    while (reader->n_pieces > 1 && reader->pieces[reader->n_pieces - 1].text.len == 0)
        reader->n_pieces--;
}

/* ---- rows ---- */

typedef struct Rows {
    CsvReader *reader;
    CsvPiece *piece;
    bool open; /* the last run goes on */
    int64_t limit;
} Rows;

static void skip_row(Rows *rows, const char *reason)
{
    CsvReader *reader = rows->reader;
    char where[256];
    int64_t row = reader->file_rows + rows->piece->n_source_rows + 1;
    csv_add_place(&rows->piece->wrong_rows, row, "%s: %s", csv_place(reader, row, where), reason);
    reader->n_skipped++;
    rows->piece->n_source_rows++;
    rows->open = false;
}

static void add_row(Rows *rows, size_t first_end, size_t n)
{
    CsvReader *reader = rows->reader;
    CsvPiece *piece = rows->piece;
    if (n != (size_t)reader->n_columns) {
        char reason[128];
        snprintf(reason, sizeof reason, "%zu field%s, the %s has %d", n, n == 1 ? "" : "s",
                 reader->header ? "header" : "first row", reader->n_columns);
        skip_row(rows, reason);
        return;
    }
    if (!rows->open) {
        if (piece->n_runs == piece->runs_capacity || !piece->runs) {
            size_t capacity = MAX(2 * piece->runs_capacity, (size_t)64);
            piece->runs = arena_grow(&reader->window, piece->runs, piece->n_runs, capacity,
                                     sizeof *piece->runs);
            piece->runs_capacity = capacity;
        }
        piece->runs[piece->n_runs++] = (CsvRun){first_end, 0, piece->n_rows, piece->n_source_rows};
        rows->open = true;
    }
    piece->runs[piece->n_runs - 1].n_rows++;
    piece->n_rows++;
    piece->n_source_rows++;
}

static bool is_blank_row(const CsvPiece *piece, size_t first_end, size_t n)
{
    uint32_t begin = piece->ends[(ptrdiff_t)first_end - 1] + 1, end = piece->ends[first_end];
    return n == 1 && (begin == end || (begin + 1 == end && piece->text.ptr[begin] == '\r'));
}

/* Rows of unequal length, or blank ones between. */
static void walk_rows(Rows *rows)
{
    CsvPiece *piece = rows->piece;
    for (size_t i = 0; i < piece->n_ends && piece->n_rows < rows->limit;) {
        size_t j = i;
        while (piece->ends[j] < piece->text.len && piece->text.ptr[piece->ends[j]] != '\n') j++;
        if (is_blank_row(piece, i, j - i + 1))
            rows->open = false;
        else
            add_row(rows, i, j - i + 1);
        i = j + 1;
    }
}

static const char *reason_of(CsvRowStatus status)
{
    switch (status) {
    case CSV_ROW_QUOTE_INSIDE: return "a quote inside an unquoted field";
    case CSV_ROW_AFTER_QUOTE: return "text after a closing quote";
    case CSV_ROW_NOT_CLOSED: return "a quote that is not closed";
    default: return "a zero byte";
    }
}

/* Byte by byte: the ends are written anew. */
static void scan_rows(Rows *rows, bool last)
{
    CsvPiece *piece = rows->piece;
    size_t at = 0, n = 0, next = 0, n_fields = 0;
    while (at < piece->text.len && piece->n_rows < rows->limit) {
        CsvRowStatus status = csv_scan_row(piece->text, at, rows->reader->separator, last,
                                           piece->ends + n, SIZE_MAX, &n_fields, &next);
        if (status == CSV_ROW_UNFINISHED) break;
        at = next;
        if (status != CSV_ROW_OK)
            skip_row(rows, reason_of(status));
        else if (is_blank_row(piece, n, n_fields))
            rows->open = false;
        else
            add_row(rows, n, n_fields);
        n += n_fields;
    }
    piece->n_ends = n;
    piece->consumed = at;
    piece->crlf = true; /* perhaps */
}

/* The piece takes over all text of the pieces behind it. */
static bool join_pieces(CsvReader *reader, int32_t i, Str window, Error *err)
{
    CsvPiece *piece = &reader->pieces[i];
    piece->text.len = (size_t)(window.ptr + window.len - piece->text.ptr);
    reader->n_pieces = i + 1;
    return piece_room(piece, piece->text.len, err);
}

/* Knows the rows of every piece, in order.  *ret_consumed: bytes of the window that are whole rows. */
static bool find_rows(CsvReader *reader, Str window, bool last, size_t *ret_consumed, Error *err)
{
    size_t consumed = 0;
    for (int32_t i = 0; i < reader->n_pieces; i++) {
        CsvPiece *piece = &reader->pieces[i];
        int64_t limit = reader->options->rows_max ? reader->options->rows_max - reader->n_rows
                                                  : INT64_MAX;
        Rows rows = {reader, piece, false, limit};
        piece->runs = NULL;
        piece->n_runs = piece->runs_capacity = 0;
        piece->n_rows = piece->n_source_rows = 0;
        if (piece->regular) {
            piece->runs = arena_new(&reader->window, CsvRun);
            piece->n_runs = piece->runs_capacity = 1;
            piece->n_rows = MIN((int64_t)(piece->n_ends / (size_t)reader->n_columns), limit);
            piece->runs[0].n_rows = piece->n_source_rows = piece->n_rows;
        } else if (piece->index.bad_quote || piece->index.nul || piece->index.inside) {
            if (!join_pieces(reader, i, window, err)) return false;
            scan_rows(&rows, last);
        } else {
            walk_rows(&rows);
        }
        piece->row = reader->n_rows;
        piece->source_row = reader->file_rows;
        reader->n_rows += piece->n_rows;
        reader->file_rows += piece->n_source_rows;
        consumed = (size_t)(piece->text.ptr - window.ptr) + piece->consumed;
    }
    *ret_consumed = consumed;
    return true;
}

/* ---- windows ---- */

static void convert_chunk(void *arg, size_t chunk, size_t begin UNUSED, size_t end UNUSED)
{
    CsvReader *reader = arg;
    if (chunk < (size_t)reader->n_worded)
        csv_convert_words(reader, reader->worded[chunk]);
    else
        csv_convert_piece(reader, &reader->pieces[chunk - (size_t)reader->n_worded]);
}

static void merge_places(CsvReader *reader, CsvPiece *piece)
{
    CsvPlaces *a = &piece->wrong_rows, *b = &piece->wrong_values;
    int64_t n = a->n + b->n, n_a = MIN(a->n, PROBLEMS_SHOWN), n_b = MIN(b->n, PROBLEMS_SHOWN);
    int64_t i = 0, k = 0;
    while (i + k < PROBLEMS_SHOWN && (i < n_a || k < n_b)) {
        bool first = k == n_b || (i < n_a && a->rows[i] < b->rows[k]);
        problems_add(&reader->problems, "%s", first ? a->texts[i] : b->texts[k]);
        if (first)
            i++;
        else
            k++;
    }
    reader->problems.n += n - i - k;
    a->n = b->n = 0;
}

static bool collect_bad(CsvReader *reader, Error *err)
{
    for (int32_t i = 0; i < reader->n_pieces; i++) {
        CsvPiece *piece = &reader->pieces[i];
        merge_places(reader, piece);
        if (!piece->n_bad) continue;
        int64_t n = reader->n_drop + piece->n_bad;
        if (n > reader->drop_capacity) {
            int64_t *grown = data_grow(reader->drop, (size_t)reader->n_drop, (size_t)(2 * n),
                                       sizeof *grown, "the rows to skip", err);
            if (!grown) return false;
            reader->drop = grown;
            reader->drop_capacity = 2 * n;
        }
        memcpy(reader->drop + reader->n_drop, piece->bad_rows,
               (size_t)piece->n_bad * sizeof(int64_t));
        reader->n_drop = n;
        reader->n_skipped += piece->n_bad;
        piece->n_bad = 0;
    }
    return true;
}

/* Reads the whole rows of a window; *ret_consumed is 0 when it holds none. */
static bool read_window(CsvReader *reader, Str window, bool last, size_t *ret_consumed, Error *err)
{
    Indexing indexing = {.reader = reader, .last = last};
    cut_window(reader, window);
    parallel_for(reader->pool, (size_t)reader->n_pieces, 1, index_chunk, &indexing);
    if (reader->failed) return false;

    int64_t before = reader->n_rows;
    if (!find_rows(reader, window, last, ret_consumed, err)) return false;
    if (reader->n_rows > before) {
        reader->bytes_read += (int64_t)*ret_consumed;
        int64_t n_rows = reader->n_rows;
        reader->n_rows = before; /* that many are to be kept by growing columns */
        bool ok = csv_reserve_rows(reader, n_rows, err);
        reader->n_rows = n_rows;
        if (!ok) return false;
        parallel_for(reader->pool, (size_t)(reader->n_worded + reader->n_pieces), 1, convert_chunk,
                     reader);
        if (reader->failed) return false;
    }
    arena_clear(&reader->window);
    return collect_bad(reader, err);
}

static bool enough(const CsvReader *reader)
{
    return reader->options->rows_max && reader->n_rows >= reader->options->rows_max;
}

/* The rows of a block from `begin` on; *ret_begin is where an unfinished row begins. */
static bool read_block(CsvReader *reader, const SourceBlock *block, size_t begin, size_t *ret_begin,
                       Error *err)
{
    size_t usual = (size_t)PIECE_BYTES * (size_t)reader->pieces_max, size = usual;
    Str text = block->bytes;
    while (begin < text.len && !enough(reader)) {
        size_t end = MIN(begin + size, text.len), consumed;
        bool last = block->last && end == text.len;
        if (!read_window(reader, str_slice(text, begin, end), last, &consumed, err)) return false;
        if (consumed == 0) {
            if (end - begin > CSV_LINE_MAX) {
                char where[256];
                return error_set(
                    err, ERROR_LIMIT, "%s is longer than %d MiB; is a quote not closed?",
                    csv_place(reader, reader->file_rows + 1, where), CSV_LINE_MAX >> 20);
            }
            if (end == text.len) break;
            size *= 2;
            continue;
        }
        source_done(block, text.ptr + begin, text.ptr + begin + consumed);
        begin += consumed;
        size = usual;
    }
    *ret_begin = begin;
    return true;
}

/* ---- a pass over the input ---- */

static Str without_mark(Str text, Error *err, bool *ret_ok)
{
    *ret_ok = true;
    if (str_starts(text, STR("\xef\xbb\xbf"))) return str_from(text, 3);
    if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff")))
        *ret_ok = error_set(err, ERROR_INVALID,
                            "it is UTF-16 text; convert it with: iconv -f UTF-16 -t UTF-8");
    return text;
}

/* Later files of a folder: their header must be the first one's. */
static bool skip_header(CsvReader *reader, Str text, size_t *at, Error *err)
{
    size_t n = reader->header_line.len;
    while (*at < text.len && (text.ptr[*at] == '\n' || text.ptr[*at] == '\r')) (*at)++;
    Str first = str_trim(reader->header_line), line, rest = str_from(text, *at);
    if (str_starts(rest, reader->header_line)) {
        *at += n;
        return true;
    }
    if (!str_next_line(&rest, &line)) return true;
    if (str_eq(str_trim(line), first)) {
        *at = rest.ptr ? (size_t)(rest.ptr - text.ptr) : text.len;
        return true;
    }
    if (reader->options->header != HEADER_YES) return true;
    char shown[CSV_SHOWN_MAX];
    return error_set(err, ERROR_INVALID, "its first line '%s' is not the header of the first file",
                     csv_shown(line, shown));
}

static bool spool_block(const CsvReader *reader, const SourceBlock *block, size_t keep, Error *err)
{
    if (reader->spool < 0 || reader->spooled) return true;
    return fd_write(reader->spool, str_from(block->bytes, keep), "a temporary copy of the input",
                    err);
}

static bool pass(CsvReader *reader, Error *err)
{
    Source *source = reader->spooled ? reader->spooled : reader->source;
    SourceBlock block = {0};
    for (size_t keep = 0; !enough(reader);) {
        if (!source_next(source, keep, &block, err)) return false;
        if (!block.name) break;
        reader->file_name = reader->spooled ? reader->spool_name : block.name;
        if (!spool_block(reader, &block, keep, err)) return false;
        size_t begin = 0;
        if (block.first && keep == 0) {
            bool ok;
            reader->file_rows = 0;
            begin = block.bytes.len - without_mark(block.bytes, err, &ok).len;
            if (!ok) return error_in(err, "reading '%s'", reader->file_name);
            if (reader->header && !skip_header(reader, block.bytes, &begin, err))
                return error_in(err, "reading '%s'", reader->file_name);
        }
        if (!read_block(reader, &block, begin, &begin, err))
            return reader->failed ? false : error_in(err, "reading '%s'", reader->file_name);
        keep = block.last ? 0 : block.bytes.len - begin;
        if (keep > CSV_LINE_MAX) {
            error_set(err, ERROR_LIMIT, "row %lld is longer than %d MiB; is a quote not closed?",
                      (long long)reader->file_rows + 1, CSV_LINE_MAX >> 20);
            return error_in(err, "reading '%s'", reader->file_name);
        }
    }
    return true;
}

/* ---- the whole ---- */

static void list_columns(CsvReader *reader)
{
    reader->n_numbers = reader->n_single = reader->n_worded = 0;
    for (int32_t j = 0; j < reader->n_columns; j++) {
        ColumnType type = reader->columns[j].type;
        if (type == COLUMN_NUMBER)
            reader->numbers[reader->n_numbers++] = j;
        else if (type == COLUMN_TIME || type == COLUMN_BOOL)
            reader->single[reader->n_single++] = j;
        else
            reader->worded[reader->n_worded++] = j;
    }
}

static bool may_change(const CsvReader *reader)
{
    for (int32_t j = 0; j < reader->n_columns; j++)
        if (!reader->columns[j].demanded && reader->columns[j].type != COLUMN_CATEGORY) return true;
    return false;
}

static void clear_pieces(CsvReader *reader)
{
    for (int32_t i = 0; i < reader->pieces_max; i++) {
        data_free(reader->pieces[i].n_missing);
        data_free(reader->pieces[i].contradicted);
        data_free(reader->pieces[i].scratch);
        reader->pieces[i].n_missing = NULL;
        reader->pieces[i].contradicted = NULL;
        reader->pieces[i].scratch = NULL;
    }
}

static void clear_words(CsvReader *reader)
{
    for (int32_t j = 0; j < reader->n_columns; j++) {
        CsvColumn *info = &reader->columns[j];
        arena_clear(&info->arena);
        info->words = (Dictionary)DICTIONARY(&info->arena);
        info->text_len = info->text_capacity = 0;
    }
}

static void start_pass(CsvReader *reader)
{
    frame_free(reader->frame);
    reader->frame = frame_new(reader->n_columns);
    clear_pieces(reader);
    clear_words(reader);
    for (int32_t j = 0; j < reader->n_columns; j++) {
        if (reader->columns[j].type == COLUMN_TEXT) reader->columns[j].type = COLUMN_CATEGORY;
        reader->frame->columns[j].type = reader->columns[j].type;
        reader->frame->columns[j].name = arena_str(&reader->frame->arena, reader->names[j]);
    }
    list_columns(reader);
    reader->n_rows = reader->capacity = reader->file_rows = reader->bytes_read = 0;
    reader->n_skipped = reader->n_drop = 0;
    reader->problems = (Problems){0};
}

/* Columns that some row contradicted become categories; false when there are none. */
static bool widen_columns(CsvReader *reader)
{
    bool any = false;
    for (int32_t i = 0; i < reader->pieces_max; i++) {
        const CsvPiece *piece = &reader->pieces[i];
        for (int32_t j = 0; j < reader->n_columns; j++) {
            if (piece->n_missing) reader->frame->columns[j].n_missing += piece->n_missing[j];
            if (piece->contradicted && piece->contradicted[j]) {
                reader->columns[j].type = COLUMN_CATEGORY;
                any = true;
            }
        }
    }
    return any;
}

static bool open_spool(CsvReader *reader, Error *err)
{
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/tmp";
    reader->spool = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (reader->spool >= 0) return true;
    ARENA(scratch);
    char *path = path_join(&scratch, folder, "clary-input-XXXXXX");
    reader->spool = mkostemp(path, O_CLOEXEC);
    if (reader->spool < 0) return error_sys(err, errno, "make a temporary file in '%s'", folder);
    unlink(path);
    return true;
}

static bool rewind_input(CsvReader *reader, Error *err)
{
    if (source_can_rewind(reader->source)) return source_rewind(reader->source, err);
    if (reader->spool >= 0 && !reader->spooled) {
        ARENA(scratch);
        Str path = arena_format(&scratch, "/proc/self/fd/%d", reader->spool);
        reader->spool_name = reader->file_name;
        if (!source_open(path.ptr, &(SourceOptions){0}, &reader->spooled, err)) return false;
        return true;
    }
    return source_rewind(reader->spooled, err);
}

static bool say_problems(const CsvReader *reader, Error *err)
{
    problems_error(&reader->problems, err);
    if (reader->header_doubt)
        error_more(err, " (the first line looks like a header: read it as one)");
    else
        error_more(err, " (--skip-bad-rows drops such rows)");
    return error_in(err, "reading '%s'",
                    source_n_files(reader->source) > 1 ? "the folder" : reader->file_name);
}

static void report_skipped(const CsvReader *reader, ReadReport *report)
{
    const char *text = reader->problems.text, *end = strstr(text, "; ");
    int n = end ? (int)(end - text) : (int)reader->problems.len;
    report->n_skipped = reader->n_skipped;
    snprintf(report->first_skipped, sizeof report->first_skipped, "%.*s", n, text);
}

static bool holds_row(Str text)
{
    size_t at = 0, n, next;
    uint32_t end;
    while (at < text.len && (text.ptr[at] == '\n' || text.ptr[at] == '\r')) at++;
    return csv_scan_row(text, at, ',', false, &end, 1, &n, &next) != CSV_ROW_UNFINISHED;
}

/* The first block decides what the columns are; it may have to grow until it holds a row. */
static bool look_at_input(CsvReader *reader, Error *err)
{
    SourceBlock block;
    if (!source_peek(reader->source, &block, err)) return false;
    if (!block.name) return error_set(err, ERROR_INVALID, "there is nothing to read");
    while (!block.last && block.bytes.len <= CSV_LINE_MAX && !holds_row(block.bytes))
        if (!source_peek_more(reader->source, &block, err)) return false;
    reader->file_name = block.name;
    bool ok;
    size_t begin;
    Str text = without_mark(block.bytes, err, &ok);
    if (ok && text.len == 0) ok = error_set(err, ERROR_INVALID, "it is empty");
    if (ok && text.len > CSV_LINE_MAX && !memchr(text.ptr, '\n', CSV_LINE_MAX))
        ok = error_set(err, ERROR_LIMIT, "the first row is longer than %d MiB", CSV_LINE_MAX >> 20);
    if (!ok || !csv_infer(reader, text, block.last, &begin, err))
        return error_in(err, "reading '%s'", reader->file_name);
    if (block.mapped && source_n_files(reader->source) == 1)
        reader->bytes_total = (int64_t)block.bytes.len;
    size_t n = (size_t)reader->n_columns;
    reader->numbers = arena_array(&reader->arena, int32_t, 3 * n);
    reader->single = reader->numbers + n;
    reader->worded = reader->single + n;
    int threads = pool_threads(reader->pool);
    reader->pieces_max = threads > 1 ? MIN(threads * PIECES_PER_THREAD, PIECES_MAX) : 1;
    reader->pieces = arena_array(&reader->arena, CsvPiece, reader->pieces_max);
    if (!source_can_rewind(reader->source) && may_change(reader)) return open_spool(reader, err);
    return true;
}

static bool read_all(CsvReader *reader, Error *err)
{
    if (!look_at_input(reader, err)) return false;
    for (int i = 0;; i++) {
        start_pass(reader);
        if (!pass(reader, err)) return false;
        if (!widen_columns(reader)) break;
        assert(i < PASSES_MAX); /* a category is never contradicted */
        if (!rewind_input(reader, err)) return false;
    }
    if (reader->problems.n && !reader->options->skip_bad_rows) return say_problems(reader, err);
    return csv_finish_columns(reader, err);
}

static void clear_reader(CsvReader *reader)
{
    if (reader->pieces) clear_pieces(reader);
    for (int32_t i = 0; i < reader->pieces_max; i++) {
        data_free(reader->pieces[i].memory);
        data_free(reader->pieces[i].bad_rows);
    }
    if (reader->columns) clear_words(reader);
    data_free(reader->drop);
    frame_free(reader->frame);
    if (reader->spool >= 0) close(reader->spool);
    source_close(reader->spooled);
    arena_clear(&reader->window);
    arena_clear(&reader->arena);
}

bool frame_read_csv(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                    ReadReport *report, Error *err)
{
    CsvReader reader = {
        .source = source, .options = options, .pool = pool, .err = err, .spool = -1};
    Error unused;
    if (!err) reader.err = err = &unused;
    bool ok = read_all(&reader, err);
    if (ok) {
        report->header = reader.header;
        report_skipped(&reader, report);
        *ret_frame = STEAL(reader.frame);
    }
    clear_reader(&reader);
    return ok;
}
