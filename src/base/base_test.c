#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "base/thread.h"

TEST(error, context_reads_from_the_outside_in)
{
    Error err = {0};
    error_set(&err, ERROR_INVALID, "%d fields", 9);
    CHECK(!error_in(&err, "row %d", 17));
    CHECK_STR(str_of(err.text), STR("row 17: 9 fields"));
    CHECK_INT(err.kind, ERROR_INVALID);
}

TEST(str, lines_lose_their_carriage_return)
{
    Str rest = STR("a\r\n\nb"), line;
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, STR("a"));
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, STR(""));
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, STR("b"));
    CHECK(!str_next_line(&rest, &line));
}

TEST(str, integers_are_whole_and_in_range)
{
    int64_t value;
    CHECK(str_to_int64(STR("-9223372036854775808"), &value));
    CHECK_INT(value, INT64_MIN);
    CHECK(!str_to_int64(STR("9223372036854775808"), &value));
    CHECK(!str_to_int64(STR("1 "), &value));
    CHECK(!str_to_int64(STR("-"), &value));
}

TEST(str, nearest_is_what_was_meant)
{
    const Str names[] = {STR("max_depth"), STR("min_child_weight"), STR("eta")};
    CHECK_INT(str_nearest(STR("max-depth"), names, COUNT(names)), 0);
    CHECK_INT(str_nearest(STR("ate"), names, COUNT(names)), -1);
    CHECK_INT(str_nearest(STR("max_detph"), names, COUNT(names)), 0);
}

TEST(strbuf, keeps_to_its_maximum)
{
    AUTO_STRBUF StrBuf text = STRBUF(4);
    strbuf_add(&text, STR("abc"));
    strbuf_add(&text, STR("de"));
    CHECK(text.overflow);
    CHECK_STR(strbuf_str(&text), STR("abc"));
}

TEST(memory, grows_and_keeps)
{
    Error err = {0};
    int64_t *x = data_array(int64_t, 3, "x", &err);
    x[2] = 7;
    for (size_t n = 4; n < 3000000; n *= 4) {
        x = data_grow(x, 3, n, sizeof *x, "x", &err);
        CHECK(x && x[2] == 7 && (uintptr_t)x % 64 == 0);
    }
    data_free(x);
    CHECK(!data_alloc(SIZE_MAX / 2, 8, "the labels", &err));
    CHECK_INT(err.kind, ERROR_NO_MEMORY);
}

static void add_up(void *arg, size_t chunk, size_t begin, size_t end)
{
    int64_t *sums = arg;
    for (size_t i = begin; i < end; i++) sums[chunk] += (int64_t)i;
}

TEST(thread, every_chunk_runs_once)
{
    AUTO(pool_free) Pool *pool = pool_new(4);
    for (int round = 0; round < 2000; round++) {
        int64_t sums[16] = {0}, total = 0;
        parallel_for(pool, 1000, 64, add_up, sums);
        for (int i = 0; i < 16; i++) total += sums[i];
        CHECK_INT(total, 499500);
    }
}

TEST(random, permutation_holds_each_once)
{
    uint32_t order[100];
    bool seen[100] = {0};
    random_permutation(random_stream(1, 2), order, 100);
    for (int i = 0; i < 100; i++) seen[order[i]] = true;
    for (int i = 0; i < 100; i++) CHECK(seen[i]);
}

TEST(file, commit_then_read)
{
    ARENA(scratch);
    Error err = {0};
    const char *path = path_join(&scratch, test_folder(), "a.txt");
    CHECK_OK(file_commit(path, STR("hello"), &err), err);
    Str text;
    CHECK_OK(file_read(path, 5, &scratch, &text, &err), err);
    CHECK_STR(text, STR("hello"));
    CHECK(!file_read(path, 4, &scratch, &text, &err));
    CHECK_INT(err.kind, ERROR_LIMIT);
}

TEST(arena, reset_gives_zeroed_memory_again)
{
    ARENA(arena);
    for (int round = 0; round < 5; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 + 1) {
            char *bytes = arena_alloc(&arena, size);
            for (size_t i = 0; i < size; i++) CHECK_INT(bytes[i], 0);
            memset(bytes, 0xa5, size);
        }
        arena_reset(&arena);
    }
    arena_reset(&(Arena){0});
}
