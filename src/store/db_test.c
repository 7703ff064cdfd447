#include "store/db.h"

#include "base/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const steps[] = {
    "CREATE TABLE thing (name TEXT PRIMARY KEY, n BIGINT NOT NULL, x DOUBLE PRECISION, bytes BLOB)",
    "CREATE TABLE line (id AUTO_ID, text TEXT NOT NULL)",
    NULL,
};

/* The database under test: SQLite in a folder, or what CLARY_TEST_DATABASE names. */
static const char *where(void)
{
    static char path[512];
    const char *named = getenv("CLARY_TEST_DATABASE");
    if (named) return named;
    snprintf(path, sizeof path, "%s/clary.db", test_folder());
    return path;
}

static Db *open_db(void)
{
    Db *db = NULL;
    Error err = {0};
    CHECK_OK(db_open(where(), &db, &err), err);
    CHECK_OK(db_schema(db, "test", steps, &err), err);
    CHECK_OK(db_empty(db, &err), err);
    return db;
}

typedef struct Put {
    const char *name;
    int64_t n;
    bool fail;
} Put;

static bool put(void *arg, DbTx *tx, Error *err)
{
    Put *p = arg;
    if (!db_run(tx, err, "INSERT INTO thing (name, n, x, bytes) VALUES (?, ?, ?, ?)", "tidb",
                str_of(p->name), p->n, 0.5, STR("a\0b")))
        return false;
    return !p->fail || error_set(err, ERROR_INVALID, "asked to fail");
}

static bool count(void *arg, DbTx *tx, Error *err)
{
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT count(*), sum(n) FROM thing", "")) return false;
    CHECK(db_next(&rows, err));
    ((int64_t *)arg)[0] = db_int(&rows, 0);
    ((int64_t *)arg)[1] = db_int(&rows, 1);
    return true;
}

static bool look(void *arg, DbTx *tx, Error *err)
{
    (void)arg;
    DB_ROWS(rows);
    CHECK_OK(
        db_query(tx, &rows, err, "SELECT name, n, x, bytes, NULL FROM thing ORDER BY name", ""),
        *err);
    CHECK(db_next(&rows, err));
    CHECK_STR(db_text(&rows, 0), STR("B"));
    CHECK_INT(db_int(&rows, 1), 1);
    CHECK_NEAR(db_real(&rows, 2), 0.5, 0);
    CHECK_STR(db_text(&rows, 3), STR("a\0b"));
    CHECK(db_is_null(&rows, 4) && !db_text(&rows, 4).ptr);
    CHECK(db_next(&rows, err));
    CHECK_STR(db_text(&rows, 0), STR("a"));
    CHECK(!db_next(&rows, err));
    CHECK_INT(err->kind, ERROR_NONE);
    return true;
}

TEST(db, values_come_back_as_they_were)
{
    AUTO(db_close) Db *db = open_db();
    Error err = {0};
    CHECK_OK(db_write(db, put, &(Put){"a", 2, false}, &err), err);
    CHECK_OK(db_write(db, put, &(Put){"B", 1, false}, &err), err);
    CHECK_OK(db_read(db, look, NULL, &err), err);
}

TEST(db, a_failed_change_is_rolled_back_alone)
{
    AUTO(db_close) Db *db = open_db();
    Error err = {0};
    CHECK_OK(db_write(db, put, &(Put){"a", 1, false}, &err), err);
    CHECK(!db_write(db, put, &(Put){"b", 1, true}, &err));
    CHECK_STR(str_of(err.text), STR("asked to fail"));
    CHECK(!db_write(db, put, &(Put){"a", 1, false}, &err));
    CHECK_INT(err.kind, ERROR_CONFLICT);
    int64_t got[2];
    CHECK_OK(db_read(db, count, got, &err), err);
    CHECK_INT(got[0], 1);
}

enum { WRITERS = 8, CHANGES = 50 };

static void *write_many(void *arg)
{
    static int next;
    Error err = {0};
    int me = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < CHANGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d-%d", me, i);
        CHECK_INT(db_write(arg, put, &(Put){name, 1, i % 5 == 4}, &err), i % 5 != 4);
    }
    return NULL;
}

TEST(db, many_threads_share_commits)
{
    AUTO(db_close) Db *db = open_db();
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, write_many, db);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    int64_t got[2];
    Error err = {0};
    CHECK_OK(db_read(db, count, got, &err), err);
    CHECK_INT(got[0], WRITERS * CHANGES * 4 / 5);
    CHECK_INT(got[1], WRITERS * CHANGES * 4 / 5);
}

static const char *const more_steps[] = {
    "CREATE TABLE one (name TEXT)",
    "CREATE TABLE two (name TEXT)",
    NULL,
};

TEST(db, a_schema_goes_on_where_it_was)
{
    Error err = {0};
    const char *const first_only[] = {more_steps[0], NULL};
    {
        AUTO(db_close) Db *db = open_db();
        CHECK_OK(db_schema(db, "more", first_only, &err), err);
    }
    AUTO(db_close) Db *db = NULL;
    CHECK_OK(db_open(where(), &db, &err), err);
    CHECK_OK(db_schema(db, "more", more_steps, &err), err);
    CHECK(!db_schema(db, "more", first_only, &err));
    CHECK(str_has(str_of(err.text), STR("newer clary")));
}
