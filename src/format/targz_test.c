#include "format/targz.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "format/compress.h"

#include <stdio.h>
#include <sys/stat.h>

static void put(const char *folder, const char *name, Str bytes)
{
    ARENA(scratch);
    Error err = {0};
    const char *path = path_join(&scratch, folder, name);
    char *parent = arena_cstr(&scratch, str_of(path));
    *strrchr(parent, '/') = 0;
    CHECK_OK(folder_make(parent, &err), err);
    CHECK_OK(file_commit(path, bytes, &err), err);
}

static const char *folder_in(Arena *arena, const char *folder, const char *name)
{
    Error err = {0};
    const char *path = path_join(arena, folder, name);
    CHECK_OK(folder_make(path, &err), err);
    return path;
}

/* One tar entry by hand. */
static void add_entry(StrBuf *tar, const char *name, char type, const char *link, Str content)
{
    char head[512] = {0};
    snprintf(head, 100, "%s", name);
    snprintf(head + 100, 8, "%07o", 0644);
    snprintf(head + 124, 12, "%011zo", type == '0' || type == 'x' ? content.len : 0);
    snprintf(head + 136, 12, "%011o", 0);
    head[156] = type;
    snprintf(head + 157, 100, "%s", link);
    memcpy(head + 257, "ustar\00000", 8);
    memset(head + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
    strbuf_add(tar, (Str){head, 512});
    strbuf_add(tar, content);
    while (tar->len % 512) strbuf_add_char(tar, 0);
}

static void end_tar(StrBuf *tar)
{
    for (int i = 0; i < 1024; i++) strbuf_add_char(tar, 0);
}

TEST(targz, packs_and_unpacks_the_same_bytes_each_time)
{
    ARENA(scratch);
    Error err = {0};
    const char *root = test_folder();
    const char *from = folder_in(&scratch, root, "from"), *to = folder_in(&scratch, root, "to");
    put(from, "xgboost-model", STR("\0\1\2 model"));
    put(from, "code/deep/inference.py", STR("print(1)\n"));
    put(from, ".hidden", STR("h"));
    put(from, "empty", STR(""));
    put(from, "m\xc3\xbcller", STR("umlaut"));
    size_t big_size = 20 << 20;
    char *big = arena_alloc(&scratch, big_size);
    for (size_t i = 0; i < big_size; i++) big[i] = (char)(i * i >> 7);
    put(from, "big", (Str){big, big_size});

    const char *one = path_join(&scratch, root, "one.tar.gz"),
               *two = path_join(&scratch, root, "two.tar.gz");
    CHECK_OK(targz_pack(from, one, &err), err);
    CHECK_OK(targz_pack(from, two, &err), err);
    Str a, b;
    CHECK_OK(file_read(one, 1 << 30, &scratch, &a, &err), err);
    CHECK_OK(file_read(two, 1 << 30, &scratch, &b, &err), err);
    CHECK(str_eq(a, b));

    CHECK_OK(targz_unpack(one, to, 0, &err), err);
    Str *names_from, *names_to;
    size_t n_from, n_to;
    CHECK_OK(folder_list(from, 9, true, 100, &scratch, &names_from, &n_from, &err), err);
    CHECK_OK(folder_list(to, 9, true, 100, &scratch, &names_to, &n_to, &err), err);
    CHECK_INT(n_from, 6);
    CHECK_INT(n_to, n_from);
    for (size_t i = 0; i < n_from; i++) {
        CHECK_STR(names_to[i], names_from[i]);
        CHECK_OK(
            file_read(path_join(&scratch, from, names_from[i].ptr), 1 << 30, &scratch, &a, &err),
            err);
        CHECK_OK(file_read(path_join(&scratch, to, names_to[i].ptr), 1 << 30, &scratch, &b, &err),
                 err);
        CHECK(str_eq(a, b));
    }
    CHECK(!targz_unpack(one, to, 0, &err));
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(str_ends(str_of(err.text), STR("one.tar.gz': entry '.hidden': it is there already")));
    CHECK(!targz_unpack(one, folder_in(&scratch, root, "small"), 1000, &err));
    CHECK(str_ends(str_of(err.text), STR("entry 'big': more than 1000 bytes in all")));
}

TEST(targz, what_is_not_a_file_or_leads_out_is_refused)
{
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    ARENA(scratch);
    const char *root = test_folder();
    const struct {
        const char *name;
        char type;
        const char *link, *want;
    } cases[] = {
        {"../evil", '0', "", "entry '../evil': the name leads out of the folder or is too long"},
        {"a/../../evil", '0', "",
         "entry 'a/../../evil': the name leads out of the folder or is too long"},
        {"/etc/evil", '0', "", "entry '/etc/evil': the name is absolute"},
        {"a", '2', "/etc/passwd",
         "entry 'a': it is a link or a device; only files and folders are unpacked"},
        {"a", '1', "b", "entry 'a': it is a link or a device; only files and folders are unpacked"},
        {"a", '6', "", "entry 'a': it is a link or a device; only files and folders are unpacked"},
        {"a", '3', "", "entry 'a': it is a link or a device; only files and folders are unpacked"},
        {"link/x", '0', "", "entry 'link/x': open a folder: Not a directory"},
        {"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3", '0', "",
         "entry '1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3': "
         "the name has more than 32 levels"},
    };
    const char *to = folder_in(&scratch, root, "to");
    CHECK(symlink("/tmp", path_join(&scratch, to, "link")) == 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_STRBUF StrBuf tar = STRBUF(1 << 20);
        add_entry(&tar, cases[i].name, cases[i].type, cases[i].link, STR("x"));
        end_tar(&tar);
        Error err = {0};
        bool ok = targz_unpack_bytes(tar.ptr, tar.len, to, 0, &err);
        CHECK(!ok);
        Str want = arena_format(&scratch, "unpacking: %s", cases[i].want);
        CHECK_STR(str_of(err.text), want);
    }

    /* a pax header with a name of more than 1024 bytes */
    AUTO_STRBUF StrBuf pax = STRBUF(1 << 20);
    strbuf_addf(&pax, "%zu path=", 15 * (sizeof long_name - 1) + 11);
    for (int i = 0; i < 15; i++) strbuf_add(&pax, str_of(long_name));
    strbuf_add_char(&pax, '\n');
    AUTO_STRBUF StrBuf tar = STRBUF(1 << 20);
    add_entry(&tar, "pax", 'x', "", strbuf_str(&pax));
    add_entry(&tar, "short", '0', "", STR("x"));
    end_tar(&tar);
    Error err = {0};
    CHECK(!targz_unpack_bytes(tar.ptr, tar.len, to, 0, &err));
    CHECK_STR(str_of(err.text), STR("unpacking: entry 1: its name is longer than 1024 bytes"));
}

TEST(targz, damaged_and_foreign_files_are_refused)
{
    ARENA(scratch);
    const char *to = folder_in(&scratch, test_folder(), "to");
    AUTO_STRBUF StrBuf tar = STRBUF(1 << 20);
    add_entry(&tar, "a", '0', "", STR("hello"));
    end_tar(&tar);
    char *packed, *twice;
    size_t size, twice_size;
    Error err = {0};
    CHECK_OK(gzip_pack(strbuf_str(&tar), 6, &packed, &size, &err), err);
    CHECK_OK(gzip_pack((Str){packed, size}, 6, &twice, &twice_size, &err), err);

    CHECK(!targz_unpack_bytes(packed, size - 1, to, 0, &err));
    CHECK(str_has(str_of(err.text), STR("the gzip data is cut off")));
    packed[size - 8] = (char)(packed[size - 8] ^ 1);
    CHECK(!targz_unpack_bytes(packed, size, folder_in(&scratch, to, "b"), 0, &err));
    CHECK(str_has(str_of(err.text), STR("the gzip data is damaged")));
    CHECK(!targz_unpack_bytes(twice, twice_size, folder_in(&scratch, to, "c"), 0, &err));
    CHECK_STR(str_of(err.text),
              STR("unpacking: this is no tar archive: Unrecognized archive format"));
    CHECK(!targz_unpack_bytes("PK\3\4zip", 7, to, 0, &err));
    CHECK_STR(str_of(err.text), STR("unpacking: it is packed with zip; a .tar.gz is wanted"));
    CHECK(!targz_unpack_bytes("hello world", 11, to, 0, &err));
    CHECK(str_starts(str_of(err.text), STR("unpacking: this is no tar archive: ")));
    data_free(packed);
    data_free(twice);
}

TEST(targz, what_unpacks_to_far_more_is_refused)
{
    ARENA(scratch);
    const char *to = folder_in(&scratch, test_folder(), "to");
    size_t zeros_size = (size_t)200 << 20;
    Error err = {0};
    AUTO_DATA char *zeros = data_array(char, zeros_size, "test", &err);
    AUTO_STRBUF StrBuf tar = STRBUF((size_t)300 << 20);
    add_entry(&tar, "zeros", '0', "", (Str){zeros, zeros_size});
    end_tar(&tar);
    char *packed;
    size_t size;
    CHECK_OK(gzip_pack(strbuf_str(&tar), 1, &packed, &size, &err), err);
    CHECK(!targz_unpack_bytes(packed, size, to, 0, &err));
    CHECK(str_has(str_of(err.text), STR("it unpacks to more than 100 times its size")));
    data_free(packed);
}
