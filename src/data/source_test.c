#include "data/source.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "format/compress.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *put(Arena *arena, const char *folder, const char *name, Str bytes)
{
    Error err = {0};
    const char *path = path_join(arena, folder, name);
    CHECK_OK(file_commit(path, bytes, &err), err);
    return path;
}

/* All that comes out, with '|' after each file; keeps `keep` bytes of each block that is not last. */
static bool read_all(const char *path, SourceOptions options, size_t keep, StrBuf *out, Error *err)
{
    AUTO(source_close) Source *source = NULL;
    if (!source_open(path, &options, &source, err)) return false;
    SourceBlock block = {0};
    int64_t offset = 0;
    for (size_t kept = 0;;) {
        if (!source_next(source, kept, &block, err)) return false;
        if (!block.name) return true;
        if (block.first) offset = 0;
        CHECK_INT(block.offset + (int64_t)kept, offset);
        strbuf_add(out, str_from(block.bytes, kept));
        offset = block.offset + (int64_t)block.bytes.len;
        kept = block.last ? 0 : MIN(keep, block.bytes.len);
        if (block.last) strbuf_add_char(out, '|');
    }
}

static Str numbers_text(Arena *arena, int n)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 26);
    for (int i = 0; i < n; i++) strbuf_addf(&text, "%d,%d\n", i, i * i % 1009);
    return arena_str(arena, strbuf_str(&text));
}

typedef bool Packer(Str text, int level, char **ret_bytes, size_t *ret_size, Error *err);

static Str packed_by(Packer *pack, Arena *arena, Str text)
{
    Error err = {0};
    char *bytes;
    size_t size;
    CHECK_OK(pack(text, 6, &bytes, &size, &err), err);
    Str result = arena_str(arena, (Str){bytes, size});
    data_free(bytes);
    return result;
}

static Str joined(Arena *arena, Str a, Str b)
{
    char *both = arena_alloc(arena, a.len + b.len);
    memcpy(both, a.ptr, a.len);
    memcpy(both + a.len, b.ptr, b.len);
    return (Str){both, a.len + b.len};
}

TEST(source, the_same_bytes_come_from_every_packing)
{
    ARENA(scratch);
    const char *folder = test_folder();
    Str text = numbers_text(&scratch, 100000);
    Str packed = packed_by(gzip_pack, &scratch, text), zstd = packed_by(zstd_pack, &scratch, text);
    Str halves = joined(&scratch, packed_by(gzip_pack, &scratch, (Str){text.ptr, 1000}),
                        packed_by(gzip_pack, &scratch, str_from(text, 1000)));

    const char *paths[] = {
        put(&scratch, folder, "plain.csv", text),
        put(&scratch, folder, "one.csv.gz", packed),
        put(&scratch, folder, "members.gz", halves),
        put(&scratch, folder, "padded.gz", joined(&scratch, packed, STR("\0\0\0\0\0\0\0"))),
        put(&scratch, folder, "a.zst", zstd),
        put(&scratch, folder, "frames.zst",
            joined(&scratch, zstd, STR("\x50\x2a\x4d\x18\x02\0\0\0ab"))),
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        for (size_t block = 0; block <= 1 << 20; block = block * 16 + 1) {
            AUTO_STRBUF StrBuf out = STRBUF(1 << 26);
            Error err = {0};
            if (block == 1 || block == 17) continue; /* slow, and no other case than 273 */
            SourceOptions options = {.block_bytes = block, .never_map = block != 0};
            CHECK_OK(read_all(paths[i], options, block / 3, &out, &err), err);
            CHECK_INT(out.len, text.len + 1);
            CHECK(memcmp(out.ptr, text.ptr, text.len) == 0);
        }
    }
}

TEST(source, what_is_kept_grows_to_any_length)
{
    ARENA(scratch);
    Str text = numbers_text(&scratch, 1000);
    const char *path = put(&scratch, test_folder(), "long.txt", text);
    Error err = {0};
    AUTO(source_close) Source *source = NULL;
    CHECK_OK(
        source_open(path, &(SourceOptions){.block_bytes = 7, .never_map = true}, &source, &err),
        err);
    SourceBlock block = {0};
    do {
        CHECK_OK(source_next(source, block.bytes.len, &block, &err), err);
    } while (!block.last);
    CHECK_STR(block.bytes, text);
    CHECK_INT(block.offset, 0);
}

TEST(source, folders_are_read_in_the_order_of_names_without_hidden_and_empty_files)
{
    ARENA(scratch);
    Error err = {0};
    const char *folder = test_folder();
    put(&scratch, folder, "part-2", STR("two"));
    put(&scratch, folder, "part-10", STR("ten"));
    put(&scratch, folder, "_SUCCESS", STR(""));
    put(&scratch, folder, ".crc", STR("hidden"));
    put(&scratch, folder, "part-1.gz", packed_by(gzip_pack, &scratch, STR("one")));
    CHECK_OK(folder_make(path_join(&scratch, folder, "a/b"), &err), err);
    put(&scratch, folder, "a/b/deep", STR("deep"));

    AUTO_STRBUF StrBuf out = STRBUF(100);
    CHECK_OK(read_all(folder, (SourceOptions){0}, 0, &out, &err), err);
    CHECK_STR(strbuf_str(&out), STR("one|ten|two|"));
    out.len = 0;
    CHECK_OK(read_all(folder, (SourceOptions){.depth = 3}, 0, &out, &err), err);
    CHECK_STR(strbuf_str(&out), STR("deep|one|ten|two|"));
}

TEST(source, an_empty_file_is_one_empty_block)
{
    ARENA(scratch);
    const char *path = put(&scratch, test_folder(), "empty", STR(""));
    AUTO_STRBUF StrBuf out = STRBUF(100);
    Error err = {0};
    CHECK_OK(read_all(path, (SourceOptions){0}, 0, &out, &err), err);
    CHECK_STR(strbuf_str(&out), STR("|"));
}

TEST(source, named_pipes_are_read_to_their_end)
{
    ARENA(scratch);
    const char *path = path_join(&scratch, test_folder(), "train_0");
    CHECK(mkfifo(path, 0600) == 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_WRONLY);
        for (int i = 0; i < 1000; i++)
            if (write(fd, "0123456789", 10) != 10) _exit(1);
        _exit(0);
    }
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Error err = {0};
    CHECK_OK(read_all(path, (SourceOptions){.block_bytes = 999}, 5, &out, &err), err);
    CHECK_INT(out.len, 10001);
    int status;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
}

TEST(source, peeking_takes_nothing)
{
    Error err = {0};
    AUTO(source_close) Source *source = NULL;
    CHECK_OK(source_open_bytes(STR("a,b\n"), "body", &(SourceOptions){0}, &source, &err), err);
    SourceBlock block;
    CHECK_OK(source_peek(source, &block, &err), err);
    CHECK_STR(block.bytes, STR("a,b\n"));
    CHECK_OK(source_next(source, 0, &block, &err), err);
    CHECK_STR(block.bytes, STR("a,b\n"));
    CHECK(block.first && block.last);
    CHECK_OK(source_next(source, 0, &block, &err), err);
    CHECK(!block.name);
}

TEST(source, rewinding_gives_the_same_again)
{
    ARENA(scratch);
    const char *folder = test_folder();
    put(&scratch, folder, "a", STR("one"));
    put(&scratch, folder, "b.gz", packed_by(gzip_pack, &scratch, STR("two")));
    Error err = {0};
    AUTO(source_close) Source *source = NULL;
    CHECK_OK(source_open(folder, &(SourceOptions){0}, &source, &err), err);
    CHECK(source_can_rewind(source));
    SourceBlock block;
    for (int n = 0; n < 4; n++) {
        for (int i = 0; i < n; i++) CHECK_OK(source_next(source, 0, &block, &err), err);
        CHECK_OK(source_rewind(source, &err), err);
        CHECK_OK(source_peek(source, &block, &err), err);
        CHECK_STR(block.bytes, STR("one"));
        CHECK_OK(source_next(source, 0, &block, &err), err);
        CHECK_OK(source_next(source, 0, &block, &err), err);
        CHECK_STR(block.bytes, STR("two"));
        CHECK_OK(source_rewind(source, &err), err);
    }
}

TEST(source, refusals_name_the_file_and_what_came_out)
{
    ARENA(scratch);
    const char *folder = test_folder();
    Str text = numbers_text(&scratch, 1000);
    Str packed = packed_by(gzip_pack, &scratch, text), zstd = packed_by(zstd_pack, &scratch, text);
    char *damaged = arena_alloc(&scratch, packed.len);
    memcpy(damaged, packed.ptr, packed.len);
    damaged[packed.len - 5] = (char)(damaged[packed.len - 5] + 1);

    const struct {
        const char *name;
        Str bytes;
        const char *want;
    } cases[] = {
        {"cut.gz",
         {packed.ptr, packed.len - 3},
         "the gzip data is cut off: it ends after 7792 unpacked bytes in the middle of a member; "
         "copy the file again"},
        {"head.gz",
         {packed.ptr, 5},
         "the gzip data is cut off: it ends after 0 unpacked bytes in the middle of a member; "
         "copy the file again"},
        {"crc.gz",
         {damaged, packed.len},
         "the gzip data is damaged after 7792 unpacked bytes (incorrect data check)"},
        {"tail.gz", joined(&scratch, packed, STR("tail")),
         "something else follows the gzip data after 7792 unpacked bytes"},
        {"cut.zst",
         {zstd.ptr, zstd.len - 1},
         "the zstd data is cut off: it ends after 0 unpacked bytes in the middle of a frame; "
         "copy the file again"},
        {"a.xz",
         STR("\xfd"
             "7zXZ\0\0\0"),
         "it is packed with xz, which is not read here; unpack it first, or pack it with gzip or zstd"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = put(&scratch, folder, cases[i].name, cases[i].bytes);
        AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
        Error err = {0};
        CHECK(!read_all(path, (SourceOptions){0}, 0, &out, &err));
        Str want = arena_format(&scratch, "reading '%s': %s", path, cases[i].want);
        CHECK_STR(str_of(err.text), want);
    }

    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Error err = {0};
    const char *empty = path_join(&scratch, folder, "empty");
    CHECK_OK(folder_make(empty, &err), err);
    CHECK(!read_all(empty, (SourceOptions){0}, 0, &out, &err));
    CHECK(str_ends(str_of(err.text), STR("/empty' (folders in it are not looked into)")));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK(!read_all(path_join(&scratch, folder, "none"), (SourceOptions){0}, 0, &out, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
}
