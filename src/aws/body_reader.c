/* Bodies, decoded and verified piece by piece; see signature.h.
 *
 * aws-chunked: chunks of "SIZE[;chunk-signature=MAC]\r\n DATA \r\n", a last one of size 0, then
 * trailer lines and an empty line.  Each chunk's MAC covers the one before, so that chunks cannot be
 * cut, swapped or repeated.  A chunk's data is handed on before its MAC is known to be right: what
 * was yielded counts only when body_reader_end says so (rule A7).
 *
 * State is per body, never per chunk; nothing is allocated from a size that was only declared. */

#include "aws/digest.h"
#include "aws/signature_inside.h"

#include <stdio.h>

typedef enum Stage {
    STAGE_PLAIN, /* no chunks */
    STAGE_SIZE,  /* the line before a chunk */
    STAGE_DATA,
    STAGE_DATA_CR,
    STAGE_DATA_LF,
    STAGE_TRAILER, /* lines after the last chunk */
    STAGE_END,     /* nothing may follow */
} Stage;

typedef struct Trailer {
    Str name, value; /* declared by x-amz-trailer, and then as it came */
    int kind;        /* DigestKind, or -1 */
    Digest digest;
} Trailer;

struct BodyReader {
    Arena *arena;
    BodyMode mode;
    Str date, scope, body_hash;
    bool verify; /* MACs and hash: a key was given */
    SigningKey key;
    int64_t length, total; /* decoded bytes: announced (or -1), and so far */

    Stage stage;
    uint64_t left; /* of the chunk */
    bool last;     /* the chunk of size 0 */
    Digest hash;   /* of the body or the chunk, begun by its first byte: few readers are ever fed */
    bool hashing, hash_begun;
    char before[64]; /* the MAC before, hex */
    char sent[64];   /* the MAC of this chunk */
    char trailer_mac[64];
    bool has_trailer_mac;
    Trailer trailers[TRAILERS_MAX];
    int n_trailers;
    Digest trailer_hash; /* of the lines, as they are signed */
    bool trailer_hashing;
    size_t n_line;
    char line[TRAILER_LINE_BYTES_MAX];
};

static bool refuse(const char **ret_code, Error *err, const char *code, const char *text)
{
    *ret_code = code;
    return error_set(err, ERROR_INVALID, "%s", text);
}

static bool malformed(const char **ret_code, Error *err)
{
    return refuse(ret_code, err, "InvalidRequest", "The chunks of the body are not well-formed");
}

static bool incomplete(const char **ret_code, Error *err)
{
    return refuse(ret_code, err, "IncompleteBody",
                  "You did not provide the number of bytes specified by the "
                  "x-amz-decoded-content-length HTTP header");
}

/* Names of trailers, declared beforehand; false when there are too many or one is no name. */
static bool declare_trailers(BodyReader *reader, Str list)
{
    Str name;
    while (str_next(&list, ',', &name)) {
        name = str_trim(name);
        if (!http_is_token(name) || reader->n_trailers == TRAILERS_MAX) return false;
        Trailer *trailer = &reader->trailers[reader->n_trailers++];
        *trailer = (Trailer){.name = name, .kind = -1};
        for (DigestKind kind = DIGEST_SHA1; kind <= DIGEST_CRC64NVME; kind++) {
            char checksum[40];
            int n = snprintf(checksum, sizeof checksum, "x-amz-checksum-%s", digest_name(kind));
            if (!str_eq_nocase(name, (Str){checksum, (size_t)n})) continue;
            trailer->kind = (int)kind;
            digest_init(&trailer->digest, kind);
        }
    }
    return true;
}

BodyReader *body_reader_new(Arena *arena, const HttpRequest *request, const Signature *signature,
                            const SigningKey *key)
{
    BodyReader *reader = arena_new(arena, BodyReader);
    bool chunks = signature->body_mode > BODY_UNSIGNED;
    *reader = (BodyReader){.arena = arena,
                           .mode = signature->body_mode,
                           .date = signature->date,
                           .body_hash = signature->body_hash,
                           .stage = chunks ? STAGE_SIZE : STAGE_PLAIN,
                           .length = chunks ? signature->decoded_length : -1};
    if (key && !key->unchecked) {
        reader->verify = true;
        reader->key = *key;
    }
    if (signature->mac.len == sizeof reader->before)
        memcpy(reader->before, signature->mac.ptr, sizeof reader->before);
    reader->scope = arena_format(arena, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(signature->day),
                                 STR_ARG(signature->region), STR_ARG(signature->service));
    reader->hashing = reader->verify && (reader->mode == BODY_CHUNKS_SIGNED ||
                                         reader->mode == BODY_CHUNKS_SIGNED_TRAILER ||
                                         (reader->mode == BODY_SIGNED && reader->body_hash.len));
    if (reader->mode == BODY_CHUNKS_SIGNED_TRAILER ||
        reader->mode == BODY_CHUNKS_UNSIGNED_TRAILER) {
        /* A declaration that is not well-formed is found when the trailers come. */
        if (!declare_trailers(reader, http_field(request, STR("x-amz-trailer"))))
            reader->n_trailers = 0;
        digest_init(&reader->trailer_hash, DIGEST_SHA256);
        reader->trailer_hashing = true;
    }
    return reader;
}

void body_reader_clear(BodyReader *reader)
{
    if (!reader) return;
    if (reader->hash_begun) digest_clear(&reader->hash);
    if (reader->trailer_hashing) digest_clear(&reader->trailer_hash);
    for (int i = 0; i < reader->n_trailers; i++) digest_clear(&reader->trailers[i].digest);
    reader->hashing = reader->hash_begun = reader->trailer_hashing = false;
}

static void hash_add(BodyReader *reader, Str bytes)
{
    if (!reader->hash_begun) digest_init(&reader->hash, DIGEST_SHA256);
    reader->hash_begun = true;
    digest_add(&reader->hash, bytes);
}

static void hash_end(BodyReader *reader, uint8_t ret[static DIGEST_BYTES_MAX])
{
    hash_add(reader, (Str){0});
    digest_end(&reader->hash, ret);
    reader->hash_begun = false;
}

/* ---- chunks ---- */

static bool mac_is(const BodyReader *reader, const char *text, int n, const char sent[static 64])
{
    uint8_t mac[32], given[32];
    digest_hmac_sha256((Str){(const char *)reader->key.bytes, sizeof reader->key.bytes},
                       (Str){text, (size_t)n}, mac);
    return hex_bytes((Str){sent, 64}, given, 32) && digest_equal(mac, given, 32);
}

static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static bool check_chunk(BodyReader *reader, const char **ret_code, Error *err)
{
    if (!reader->hashing) return true;
    uint8_t hash[DIGEST_BYTES_MAX];
    char hex[64], text[512];
    hash_end(reader, hash);
    hex_write(hash, 32, hex);
    int n = snprintf(text, sizeof text, "AWS4-HMAC-SHA256-PAYLOAD\n%.*s\n%.*s\n%.64s\n%s\n%.64s",
                     STR_ARG(reader->date), STR_ARG(reader->scope), reader->before, empty_hash,
                     hex);
    if (!mac_is(reader, text, n, reader->sent))
        return signature_refuse(REFUSAL_S3, REFUSAL_NO_MATCH, ret_code, err);
    memcpy(reader->before, reader->sent, sizeof reader->before);
    return true;
}

static bool has_signed_chunks(const BodyReader *reader)
{
    return reader->mode == BODY_CHUNKS_SIGNED || reader->mode == BODY_CHUNKS_SIGNED_TRAILER;
}

static bool has_trailers(const BodyReader *reader)
{
    return reader->mode == BODY_CHUNKS_SIGNED_TRAILER ||
           reader->mode == BODY_CHUNKS_UNSIGNED_TRAILER;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* "10000;chunk-signature=MAC" */
static bool take_size_line(BodyReader *reader, const char **ret_code, Error *err)
{
    Str line = {reader->line, reader->n_line};
    size_t digits = str_find(line, ';');
    uint64_t size = 0;
    if (!digits || digits > 16) return malformed(ret_code, err);
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(line.ptr[i]);
        if (digit < 0) return malformed(ret_code, err);
        size = size << 4 | (uint64_t)digit;
    }
    Str rest = str_from(line, digits), mark = STR(";chunk-signature=");
    if (has_signed_chunks(reader)) {
        if (rest.len != mark.len + 64 || !str_starts(rest, mark)) return malformed(ret_code, err);
        memcpy(reader->sent, rest.ptr + mark.len, 64);
    } else if (rest.len) {
        return malformed(ret_code, err);
    }
    /* Both are at least zero, so the difference is what may still come. */
    if (size > (uint64_t)(reader->length - reader->total)) return incomplete(ret_code, err);
    reader->left = size;
    reader->last = size == 0;
    reader->stage = STAGE_DATA;
    if (!reader->last) return true;
    if (!check_chunk(reader, ret_code, err)) return false;
    reader->stage = STAGE_TRAILER;
    return true;
}

static bool take_trailer(BodyReader *reader, Str line, const char **ret_code, Error *err)
{
    size_t colon = str_find(line, ':'), plain = 0;
    while (plain < line.len && line.ptr[plain] >= ' ' && line.ptr[plain] < 0x7f) plain++;
    if (colon == line.len || plain < line.len)
        return refuse(ret_code, err, "MalformedTrailerError",
                      "The request contained trailing data that was not well-formed or did not "
                      "conform to our published schema.");
    Str name = str_slice(line, 0, colon), value = str_trim(str_from(line, colon + 1));
    if (str_eq_nocase(name, STR("x-amz-trailer-signature"))) {
        if (reader->mode != BODY_CHUNKS_SIGNED_TRAILER || reader->has_trailer_mac ||
            value.len != sizeof reader->trailer_mac)
            return malformed(ret_code, err);
        memcpy(reader->trailer_mac, value.ptr, sizeof reader->trailer_mac);
        reader->has_trailer_mac = true;
        return true;
    }
    for (int i = 0; i < reader->n_trailers && !reader->has_trailer_mac; i++) {
        Trailer *trailer = &reader->trailers[i];
        if (!str_eq_nocase(trailer->name, name) || trailer->value.ptr) continue;
        trailer->value = arena_str(reader->arena, value);
        digest_add(&reader->trailer_hash, name);
        digest_add(&reader->trailer_hash, STR(":"));
        digest_add(&reader->trailer_hash, value);
        digest_add(&reader->trailer_hash, STR("\n"));
        return true;
    }
    return refuse(ret_code, err, "MalformedTrailerError",
                  "The request contained a trailer that x-amz-trailer does not declare, or one "
                  "twice.");
}

/* A line ends in CRLF; trailer lines also in LF, as AWS's own description signs and shows them. */
static bool take_line(BodyReader *reader, char c, const char **ret_code, Error *err)
{
    if (c != '\n') {
        if (reader->n_line == sizeof reader->line) return malformed(ret_code, err);
        reader->line[reader->n_line++] = c;
        return true;
    }
    bool cr = reader->n_line && reader->line[reader->n_line - 1] == '\r';
    if (cr) reader->n_line--;
    bool ok = true;
    if (reader->stage == STAGE_SIZE)
        ok = cr ? take_size_line(reader, ret_code, err) : malformed(ret_code, err);
    else if (!reader->n_line)
        reader->stage = STAGE_END;
    else if (has_trailers(reader))
        ok = take_trailer(reader, (Str){reader->line, reader->n_line}, ret_code, err);
    else
        ok = malformed(ret_code, err);
    reader->n_line = 0;
    return ok;
}

/* Decoded bytes, into the hashes and to the sink. */
static bool yield_bytes(BodyReader *reader, Str bytes, bool (*sink)(void *, Str, Error *),
                        void *arg, Error *err)
{
    reader->total += (int64_t)bytes.len;
    if (reader->hashing) hash_add(reader, bytes);
    for (int i = 0; i < reader->n_trailers; i++)
        if (reader->trailers[i].kind >= 0) digest_add(&reader->trailers[i].digest, bytes);
    return sink(arg, bytes, err);
}

bool body_reader_feed(BodyReader *reader, Str raw, bool (*sink)(void *arg, Str decoded, Error *err),
                      void *arg, const char **ret_code, Error *err)
{
    if (reader->stage == STAGE_PLAIN) return !raw.len || yield_bytes(reader, raw, sink, arg, err);
    while (raw.len) {
        size_t used = 1;
        switch (reader->stage) {
        case STAGE_SIZE:
        case STAGE_TRAILER:
            if (!take_line(reader, raw.ptr[0], ret_code, err)) return false;
            break;
        case STAGE_DATA:
            used = (size_t)MIN((uint64_t)raw.len, reader->left);
            reader->left -= used;
            if (!yield_bytes(reader, str_slice(raw, 0, used), sink, arg, err)) return false;
            if (!reader->left) {
                if (!check_chunk(reader, ret_code, err)) return false;
                reader->stage = STAGE_DATA_CR;
            }
            break;
        case STAGE_DATA_CR:
        case STAGE_DATA_LF:
            if (raw.ptr[0] != (reader->stage == STAGE_DATA_CR ? '\r' : '\n'))
                return malformed(ret_code, err);
            reader->stage = reader->stage == STAGE_DATA_CR ? STAGE_DATA_LF : STAGE_SIZE;
            break;
        case STAGE_PLAIN:
        case STAGE_END: return malformed(ret_code, err);
        }
        raw = str_from(raw, used);
    }
    return true;
}

/* ---- the end ---- */

static bool check_trailers(BodyReader *reader, const char **ret_code, Error *err)
{
    uint8_t value[DIGEST_BYTES_MAX];
    for (int i = 0; i < reader->n_trailers; i++) {
        Trailer *trailer = &reader->trailers[i];
        if (!trailer->value.ptr)
            return refuse(ret_code, err, "MalformedTrailerError",
                          "A trailer that x-amz-trailer declares did not come.");
        if (trailer->kind < 0) continue;
        size_t n = digest_end(&trailer->digest, value);
        Str want = base64_text(reader->arena, (Str){(const char *)value, n});
        if (!str_eq(want, trailer->value)) {
            *ret_code = "BadDigest";
            return error_set(err, ERROR_INVALID,
                             "The %s you specified did not match the calculated checksum.",
                             digest_name((DigestKind)trailer->kind));
        }
    }
    if (reader->mode != BODY_CHUNKS_SIGNED_TRAILER || !reader->verify) return true;
    char hex[64], text[512];
    digest_end(&reader->trailer_hash, value);
    reader->trailer_hashing = false;
    hex_write(value, 32, hex);
    int n = snprintf(text, sizeof text, "AWS4-HMAC-SHA256-TRAILER\n%.*s\n%.*s\n%.64s\n%.64s",
                     STR_ARG(reader->date), STR_ARG(reader->scope), reader->before, hex);
    if (reader->has_trailer_mac && mac_is(reader, text, n, reader->trailer_mac)) return true;
    return signature_refuse(REFUSAL_S3, REFUSAL_NO_MATCH, ret_code, err);
}

static bool check_end(BodyReader *reader, const char **ret_code, Error *err)
{
    if (reader->stage == STAGE_PLAIN) {
        if (!reader->hashing) return true;
        uint8_t hash[DIGEST_BYTES_MAX], want[32];
        hash_end(reader, hash);
        if (hex_bytes(reader->body_hash, want, 32) && digest_equal(hash, want, 32)) return true;
        return signature_refuse(REFUSAL_S3, REFUSAL_BODY_HASH, ret_code, err);
    }
    if (reader->stage != STAGE_END || reader->total != reader->length)
        return incomplete(ret_code, err);
    return !has_trailers(reader) || check_trailers(reader, ret_code, err);
}

bool body_reader_end(BodyReader *reader, const char **ret_code, Error *err)
{
    bool right = check_end(reader, ret_code, err);
    body_reader_clear(reader);
    return right;
}

Str body_reader_trailer(const BodyReader *reader, Str name)
{
    for (int i = 0; i < reader->n_trailers; i++)
        if (str_eq_nocase(reader->trailers[i].name, name)) return reader->trailers[i].value;
    return (Str){0};
}
