/* Published values, agreement of the fast paths with the plain one, and refusals of spellings. */

#include "aws/digest.h"
#include "base/random.h"
#include "base/test.h"

static Str hex_of(Arena *arena, DigestKind kind, Str bytes)
{
    Digest digest;
    uint8_t value[DIGEST_BYTES_MAX];
    digest_init(&digest, kind);
    digest_add(&digest, bytes);
    size_t n = digest_end(&digest, value);
    CHECK_INT(n, digest_size(kind));
    return hex_text(arena, value, n);
}

/* FIPS 180-2 and RFC 1321 examples; the checksums' check values of the Rocksoft catalogue. */
TEST(digest, published_values)
{
    static const struct {
        DigestKind kind;
        const char *text, *want;
    } cases[] = {
        {DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
        {DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {DIGEST_CRC32, "123456789", "cbf43926"},
        {DIGEST_CRC32C, "123456789", "e3069283"},
        {DIGEST_CRC64NVME, "123456789", "ae8b14860a799888"},
        {DIGEST_CRC32, "", "00000000"},
        {DIGEST_CRC64NVME, "", "0000000000000000"},
    };
    ARENA(arena);
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_STR(hex_of(&arena, cases[i].kind, str_of(cases[i].text)), str_of(cases[i].want));
}

/* RFC 4231, cases 1 and 6 (a key longer than a block); RFC 2202, case 2. */
TEST(digest, hmac)
{
    ARENA(arena);
    uint8_t mac[32];
    char key[131];
    memset(key, 0x0b, 20);
    digest_hmac_sha256((Str){key, 20}, STR("Hi There"), mac);
    CHECK_STR(hex_text(&arena, mac, 32),
              STR("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    memset(key, 0xaa, sizeof key);
    digest_hmac_sha256((Str){key, sizeof key},
                       STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    CHECK_STR(hex_text(&arena, mac, 32),
              STR("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    digest_hmac_sha1(STR("Jefe"), STR("what do ya want for nothing?"), mac);
    CHECK_STR(hex_text(&arena, mac, 20), STR("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
}

/* Bit by bit, from the definition. */
static uint64_t slow_crc(DigestKind kind, Str s)
{
    int width = kind == DIGEST_CRC64NVME ? 64 : 32;
    uint64_t polynomial = kind == DIGEST_CRC32    ? 0xedb88320
                          : kind == DIGEST_CRC32C ? 0x82f63b78
                                                  : 0x9a6c9329ac4bc9b5;
    uint64_t all = UINT64_MAX >> (64 - width), crc = all;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (uint8_t)s.ptr[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
    }
    return crc ^ all;
}

TEST(digest, checksums_agree_with_the_definition_at_every_length_and_cut)
{
    char bytes[700];
    Random random = random_stream(1, 2);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)random_u64(random, i);
    for (DigestKind kind = DIGEST_CRC32; kind <= DIGEST_CRC64NVME; kind++)
        for (size_t n = 0; n <= sizeof bytes; n += n < 200 ? 1 : 13) {
            Str all = {bytes, n};
            uint64_t want = slow_crc(kind, all);
            CHECK_INT(digest_crc(kind, all), want);
            size_t cut = n ? (size_t)random_below(random, 1000 + n, n) : 0;
            Digest digest;
            digest_init(&digest, kind);
            digest_add(&digest, str_slice(all, 0, cut));
            digest_add(&digest, str_from(all, cut));
            CHECK_INT(digest.crc, want);
            CHECK_INT(digest_crc_combine(kind, digest_crc(kind, str_slice(all, 0, cut)),
                                         digest_crc(kind, str_from(all, cut)), n - cut),
                      want);
        }
}

TEST(digest, pieces_and_peeks)
{
    ARENA(arena);
    for (DigestKind kind = DIGEST_MD5; kind <= DIGEST_CRC64NVME; kind++) {
        Digest digest;
        uint8_t value[DIGEST_BYTES_MAX];
        digest_init(&digest, kind);
        digest_add(&digest, STR("ab"));
        size_t n = digest_peek(&digest, value);
        CHECK_STR(hex_text(&arena, value, n), hex_of(&arena, kind, STR("ab")));
        digest_add(&digest, STR("c"));
        n = digest_end(&digest, value);
        CHECK_STR(hex_text(&arena, value, n), hex_of(&arena, kind, STR("abc")));
        digest_clear(&digest);
    }
}

TEST(digest, sealed_bytes_open_only_unchanged)
{
    ARENA(arena);
    uint8_t key[32] = {1, 2, 3}, other[32] = {1, 2, 4};
    Str sealed = digest_seal(&arena, key, STR("key AKIA 1"), STR("secret"));
    CHECK_INT(sealed.len, 6 + SEAL_EXTRA_BYTES);
    CHECK_STR(digest_open(&arena, key, STR("key AKIA 1"), sealed), STR("secret"));
    CHECK(!digest_open(&arena, other, STR("key AKIA 1"), sealed).ptr);
    CHECK(!digest_open(&arena, key, STR("key AKIA 2"), sealed).ptr);
    CHECK(!digest_open(&arena, key, STR("key AKIA 1"), str_slice(sealed, 0, 27)).ptr);
    for (size_t i = 0; i < sealed.len; i++) {
        Str changed = arena_str(&arena, sealed);
        ((char *)(uintptr_t)changed.ptr)[i] ^= 1;
        CHECK(!digest_open(&arena, key, STR("key AKIA 1"), changed).ptr);
    }
    Str empty = digest_seal(&arena, key, (Str){0}, (Str){0});
    CHECK(digest_open(&arena, key, (Str){0}, empty).ptr);
}

/* RFC 4648 section 10. */
TEST(digest, base64)
{
    static const char *cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    static const char *wrong[] = {"Z",    "Zg",    "Zg=",  "Zg==Zg==", "Zh==", "Zm9=",    "Zm8-",
                                  "====", "Zg= =", "Z===", "Zm9v\n",   "=Zg=", "Zm9vY==="};
    ARENA(arena);
    Str bytes;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_STR(base64_text(&arena, str_of(cases[i][0])), str_of(cases[i][1]));
        CHECK(base64_bytes(&arena, str_of(cases[i][1]), &bytes));
        CHECK_STR(bytes, str_of(cases[i][0]));
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (base64_bytes(&arena, str_of(wrong[i]), &bytes)) FAIL("'%s' was taken", wrong[i]);
}

TEST(digest, hex)
{
    ARENA(arena);
    uint8_t bytes[3];
    CHECK(hex_bytes(STR("00aFfe"), bytes, 3));
    CHECK_STR(hex_text(&arena, bytes, 3), STR("00affe"));
    CHECK(!hex_bytes(STR("00aFf"), bytes, 3));
    CHECK(!hex_bytes(STR("00aFfg"), bytes, 3));
    CHECK(!hex_bytes(STR("00aF g"), bytes, 3));
    CHECK(!hex_bytes(STR("/:@G`g"), bytes, 3));
    CHECK(digest_equal("abc", "abc", 3) && !digest_equal("abc", "abd", 3));
}
