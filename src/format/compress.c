/* gzip by zlib as a stream, Zstandard by libzstd.
 *
 * Both libraries check their checksums; what they say is put in words here.  Zero bytes after the
 * last gzip member are padding (tapes and block devices leave them); anything else is refused,
 * because it means that the file is not what it seems. */

#include "format/compress.h"

#include "base/memory.h"

#include <libdeflate.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

typedef struct Magic {
    Str bytes;
    Packing packing;
    const char *name;
} Magic;

static const Magic magics[] = {
    {STR_INIT("\x1f\x8b"), PACKING_GZIP, "gzip"},
    {STR_INIT("\x28\xb5\x2f\xfd"), PACKING_ZSTD, "zstd"},
    {STR_INIT("\xfd"
              "7zXZ\x00"),
     PACKING_FOREIGN, "xz"},
    {STR_INIT("BZh91AY&SY"), PACKING_FOREIGN, "bzip2"},
    {STR_INIT("PK\x03\x04"), PACKING_FOREIGN, "zip"},
    {STR_INIT("\x04\x22\x4d\x18"), PACKING_FOREIGN, "lz4"},
};

static const Magic *find_magic(Str head)
{
    for (size_t i = 0; i < COUNT(magics); i++)
        if (str_starts(head, magics[i].bytes)) return &magics[i];
    return NULL;
}

Packing packing_of(Str head)
{
    const Magic *magic = find_magic(head);
    return magic ? magic->packing : PACKING_NONE;
}

const char *packing_name(Str head)
{
    const Magic *magic = find_magic(head);
    return magic ? magic->name : "plain";
}

struct Unpacker {
    Packing packing;
    uint64_t n_out;
    bool between; /* a member or frame is complete and the next has not begun */
    bool padding; /* gzip: zero bytes after the last member */
    int64_t n_members;
    z_stream zlib;
    ZSTD_DStream *zstd;
};

bool unpacker_new(Packing packing, Unpacker **ret_unpacker, Error *err)
{
    AUTO(unpacker_free) Unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (!unpacker) memory_exhausted(sizeof *unpacker);
    assert(packing == PACKING_GZIP || packing == PACKING_ZSTD);

    if (packing == PACKING_GZIP) {
        if (inflateInit2(&unpacker->zlib, 15 + 16) != Z_OK)
            return error_set(err, ERROR_NO_MEMORY, "no memory for unpacking gzip");
    } else {
        unpacker->zstd = ZSTD_createDStream();
        if (!unpacker->zstd) return error_set(err, ERROR_NO_MEMORY, "no memory for unpacking zstd");
    }
    unpacker->packing = packing;
    unpacker->between = true;
    *ret_unpacker = STEAL(unpacker);
    return true;
}

void unpacker_free(Unpacker *unpacker)
{
    if (!unpacker) return;
    if (unpacker->packing == PACKING_GZIP) inflateEnd(&unpacker->zlib);
    ZSTD_freeDStream(unpacker->zstd);
    free(unpacker);
}

static bool skip_padding(Unpacker *unpacker, Str *input, Error *err)
{
    while (input->len && input->ptr[0] == 0) *input = str_from(*input, 1);
    if (input->len)
        return error_set(err, ERROR_INVALID,
                         "something else follows the gzip data after %llu unpacked bytes",
                         (unsigned long long)unpacker->n_out);
    return true;
}

static bool gzip_run(Unpacker *unpacker, Str *input, char *out, size_t size, size_t *ret_n,
                     Error *err)
{
    z_stream *zlib = &unpacker->zlib;
    size_t n = 0;
    while (n < size) {
        if (unpacker->between && unpacker->n_members > 0 && input->len) {
            /* What follows a member is another one or padding. */
            if (unpacker->padding || input->ptr[0] != '\x1f') {
                unpacker->padding = true;
                if (!skip_padding(unpacker, input, err)) return false;
                break;
            }
            if (inflateReset(zlib) != Z_OK)
                return error_set(err, ERROR_INTERNAL, "inflateReset failed");
        }
        if (input->len == 0 && unpacker->between) break;

        zlib->next_in = (const Bytef *)input->ptr;
        zlib->avail_in = (uInt)MIN(input->len, (size_t)1 << 30);
        zlib->next_out = (Bytef *)out + n;
        zlib->avail_out = (uInt)MIN(size - n, (size_t)1 << 30);
        uInt in_before = zlib->avail_in, out_before = zlib->avail_out;
        int code = inflate(zlib, Z_NO_FLUSH);
        size_t got = out_before - zlib->avail_out;
        *input = str_from(*input, in_before - zlib->avail_in);
        n += got;
        unpacker->n_out += got;
        unpacker->between = code == Z_STREAM_END;
        if (code == Z_STREAM_END) {
            unpacker->n_members++;
            continue;
        }
        if (code == Z_BUF_ERROR || (code == Z_OK && input->len == 0 && zlib->avail_out)) break;
        if (code == Z_MEM_ERROR)
            return error_set(err, ERROR_NO_MEMORY, "no memory for unpacking gzip");
        if (code != Z_OK)
            return error_set(
                err, ERROR_INVALID, "the gzip data is damaged after %llu unpacked bytes (%s)",
                (unsigned long long)unpacker->n_out, zlib->msg ? zlib->msg : "unknown reason");
    }
    *ret_n = n;
    return true;
}

static bool zstd_run(Unpacker *unpacker, Str *input, char *out, size_t size, size_t *ret_n,
                     Error *err)
{
    ZSTD_outBuffer to = {out, size, 0};
    ZSTD_inBuffer from = {input->ptr, input->len, 0};
    while (to.pos < size) {
        if (from.pos == from.size && unpacker->between) break;
        size_t in_before = from.pos, out_before = to.pos;
        size_t code = ZSTD_decompressStream(unpacker->zstd, &to, &from);
        unpacker->n_out += to.pos - out_before;
        if (ZSTD_isError(code))
            return error_set(err, ERROR_INVALID,
                             "the zstd data is damaged after %llu unpacked bytes (%s)",
                             (unsigned long long)unpacker->n_out, ZSTD_getErrorName(code));
        unpacker->between = code == 0;
        if (from.pos == in_before && to.pos == out_before) break; /* wants more input */
    }
    *input = str_from(*input, from.pos);
    *ret_n = to.pos;
    return true;
}

bool unpacker_run(Unpacker *unpacker, Str *input, char *out, size_t size, size_t *ret_n, Error *err)
{
    if (unpacker->packing == PACKING_GZIP) return gzip_run(unpacker, input, out, size, ret_n, err);
    return zstd_run(unpacker, input, out, size, ret_n, err);
}

bool unpacker_finish(const Unpacker *unpacker, Error *err)
{
    if (unpacker->between) return true;
    return error_set(
        err, ERROR_INVALID,
        "the %s data is cut off: it ends after %llu unpacked bytes in the middle of a %s; "
        "copy the file again",
        unpacker->packing == PACKING_GZIP ? "gzip" : "zstd", (unsigned long long)unpacker->n_out,
        unpacker->packing == PACKING_GZIP ? "member" : "frame");
}

bool gzip_pack(Str text, int level, char **ret_bytes, size_t *ret_size, Error *err)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    if (!compressor) return error_set(err, ERROR_NO_MEMORY, "no memory for packing");

    size_t bound = libdeflate_gzip_compress_bound(compressor, text.len);
    char *bytes = data_array(char, bound, "the packed file", err);
    if (bytes) *ret_size = libdeflate_gzip_compress(compressor, text.ptr, text.len, bytes, bound);
    libdeflate_free_compressor(compressor);
    if (!bytes) return false;
    *ret_bytes = bytes;
    return true;
}

bool zstd_pack(Str text, int level, char **ret_bytes, size_t *ret_size, Error *err)
{
    size_t bound = ZSTD_compressBound(text.len);
    char *bytes = data_array(char, bound, "the packed file", err);
    if (!bytes) return false;
    size_t size = ZSTD_compress(bytes, bound, text.ptr, text.len, level);
    if (ZSTD_isError(size)) {
        data_free(bytes);
        return error_set(err, ERROR_INTERNAL, "packing with zstd: %s", ZSTD_getErrorName(size));
    }
    *ret_bytes = bytes;
    *ret_size = size;
    return true;
}
