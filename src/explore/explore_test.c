#include "explore/profile.h"

#include "base/test.h"
#include "data/read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static Frame *read_text(const char *text)
{
    static int number;
    char path[512];
    snprintf(path, sizeof path, "%s/table-%d.csv", test_folder(), number++);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
    Frame *frame = NULL;
    Error err = {0};
    ReadReport report;
    CHECK_OK(frame_read(path, &(ReadOptions){.header = HEADER_YES}, NULL, &frame, &report, &err),
             err);
    return frame;
}

static bool has_alert(const Profile *p, AlertKind kind, const char *column)
{
    for (int i = 0; i < p->n_alerts; i++)
        if (p->alerts[i].kind == kind &&
            (!column || str_is(p->columns[p->alerts[i].column].name, column)))
            return true;
    return false;
}

/* A table with every fault; 200 rows. */
static Frame *faulty(void)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    strbuf_add(&text, STR("id,x,twice,constant,rare,mixed,empty,leak,answer\n"));
    for (int i = 0; i < 200; i++) {
        int row = i == 199 ? 198 : i; /* the last row repeats the one before */
        double x = (row * 37 % 101) / 10.0;
        strbuf_addf(&text, "name-%d,%g,%g,7,%s,%s,%s,%s,%s\n", row, x,
                    2 * x + (row % 7 == 0 ? 0.01 : 0), row % 50 == 3 ? "seldom" : "often",
                    row % 20 == 1 ? "unknown"
                    : row % 2     ? "1.5"
                                  : "2.5",
                    row % 3 ? "" : "1", x > 9 ? "yes!" : "no!", x > 9 ? "yes" : "no");
    }
    return read_text(strbuf_cstr(&text));
}

TEST(explore, faults_are_found)
{
    AUTO(frame_free) Frame *frame = faulty();
    AUTO(profile_free) Profile *p = NULL;
    Error err = {0};
    CHECK_OK(profile_make(frame, 8, NULL, &p, &err), err);
    CHECK_INT(p->n_rows, 200);
    CHECK_INT(p->duplicate_rows, 1);
    CHECK(has_alert(p, ALERT_DUPLICATES, NULL));
    CHECK(has_alert(p, ALERT_UNIQUE, "id"));
    CHECK(has_alert(p, ALERT_CONSTANT, "constant"));
    CHECK(has_alert(p, ALERT_CORRELATION, "x"));
    CHECK(has_alert(p, ALERT_INFLATION, "twice"));
    CHECK(has_alert(p, ALERT_IMBALANCE, "rare"));
    CHECK(has_alert(p, ALERT_IMBALANCE, "answer"));
    CHECK(has_alert(p, ALERT_MIXED, "mixed"));
    CHECK(has_alert(p, ALERT_MISSING, "empty"));
    CHECK(has_alert(p, ALERT_LEAKAGE, "leak"));
    CHECK_INT(p->alerts[0].kind, ALERT_LEAKAGE);
    for (int i = 1; i < p->n_alerts; i++) CHECK(p->alerts[i - 1].harm >= p->alerts[i].harm);

    AUTO_STRBUF StrBuf text = STRBUF(1 << 20), json = STRBUF(1 << 20);
    profile_summary(p, STR("faulty.csv"), 100, &text);
    CHECK(str_has(strbuf_str(&text), STR("possible leakage")));
    profile_document(p, STR("faulty.csv"), &json);
    CHECK(!json.overflow && str_starts(strbuf_str(&json), STR("{\"version\":1,")));
}

/* What a page must not have, and what it must. */
static void check_page(Str page)
{
    static const char *const banned[] = {"<script", "http://", "https://", "url(http",
                                         "onload=", "nan",     "<bad>"};
    for (size_t i = 0; i < COUNT(banned); i++) {
        if (str_has(page, str_of(banned[i]))) fprintf(stderr, "the page has '%s'\n", banned[i]);
        CHECK(!str_has(page, str_of(banned[i])));
    }
    CHECK(str_ends(page, STR("</html>\n")));
}

TEST(explore, edges_are_said_in_words)
{
    static const char *const tables[] = {"a,b\n1,x\n", "a\n\n", "a,b\n,\n,\n",
                                         "a,b\n5,5\n5,5\n5,5\n",
                                         "t\n2024-01-01\n2024-01-02\n2024-01-03\n2024-03-01\n"};
    for (size_t i = 0; i < COUNT(tables); i++) {
        AUTO(frame_free) Frame *frame = read_text(tables[i]);
        AUTO(profile_free) Profile *p = NULL;
        Error err = {0};
        CHECK_OK(profile_make(frame, -1, NULL, &p, &err), err);
        AUTO_STRBUF StrBuf text = STRBUF(1 << 16), json = STRBUF(1 << 16);
        profile_summary(p, STR("t"), 80, &text);
        profile_document(p, STR("t"), &json);
        AUTO_STRBUF StrBuf page = STRBUF(PAGE_BYTES_MAX);
        CHECK_OK(profile_page(p, STR("t"), &page, &err), err);
        check_page(strbuf_str(&page));
        CHECK(!str_has(strbuf_str(&text), STR("nan")) && !str_has(strbuf_str(&json), STR("nan")));
    }
}

TEST(explore, drift_between_then_and_now)
{
    AUTO_STRBUF StrBuf then = STRBUF(1 << 20), now = STRBUF(1 << 20);
    strbuf_add(&then, STR("same,moved,word,gone\n"));
    strbuf_add(&now, STR("same,moved,word,new\n"));
    for (int i = 0; i < 1000; i++) {
        strbuf_addf(&then, "%d,%d,%s,1\n", i * 7 % 1000, i, i % 2 ? "a" : "b");
        strbuf_addf(&now, "%d,%d,%s,1\n", i * 11 % 1000, i + 600, i % 4 ? "a" : "c");
    }
    AUTO(frame_free) Frame *before = read_text(strbuf_cstr(&then));
    AUTO(frame_free) Frame *after = read_text(strbuf_cstr(&now));
    ARENA(arena);
    Error err = {0};
    Drift *drift;
    int32_t n;
    CHECK_OK(drift_of(before, after, NULL, &arena, &drift, &n, &err), err);
    CHECK_INT(n, 5);
    CHECK(drift[0].psi < 1e-9 && drift[0].statistic < 1e-9 && drift[0].p > 0.99);
    CHECK_STR(str_of(drift_word(drift[1].psi)), STR("changed"));
    CHECK_NEAR(drift[1].statistic, 0.6, 1e-12);
    CHECK(drift[1].p < 1e-30);
    CHECK(drift[2].psi > 0.25 && drift[2].p < 1e-10);
    CHECK(drift[3].only_before && drift[4].only_after);
    AUTO_STRBUF StrBuf page = STRBUF(PAGE_BYTES_MAX);
    CHECK_OK(drift_page(before, after, drift, n, STR("now"), STR("then"), &page, &err), err);
    check_page(strbuf_str(&page));
    CHECK(str_has(strbuf_str(&page), STR("<b>is gone</b>")));
}

TEST(explore, page_stands_alone)
{
    AUTO(frame_free) Frame *frame = faulty();
    AUTO(profile_free) Profile *p = NULL;
    AUTO_STRBUF StrBuf page = STRBUF(PAGE_BYTES_MAX);
    Error err = {0};
    CHECK_OK(profile_make(frame, 8, NULL, &p, &err), err);
    CHECK_OK(profile_page(p, STR("<bad> & \"name\""), &page, &err), err);
    check_page(strbuf_str(&page));
    CHECK(str_has(strbuf_str(&page), STR("&lt;bad&gt; &amp; &quot;name&quot;")));
    static const char *const sections[] = {"alerts",   "target", "relations", "missing",
                                           "outliers", "rows",   "columns"};
    for (size_t i = 0; i < COUNT(sections); i++) {
        char id[32];
        snprintf(id, sizeof id, "id=\"%s\"", sections[i]);
        CHECK(str_has(strbuf_str(&page), str_of(id)));
    }
}

TEST(explore, wide_tables_make_pages_that_fit)
{
    enum { COLUMNS = 900 };
    AUTO_STRBUF StrBuf text = STRBUF(1 << 22);
    for (int i = -1; i < 60; i++)
        for (int j = 0; j < COLUMNS; j++)
            i < 0 ? strbuf_addf(&text, "column-%d%c", j, j + 1 < COLUMNS ? ',' : '\n')
                  : strbuf_addf(&text, "%d%c", (i * (j + 3)) % 61, j + 1 < COLUMNS ? ',' : '\n');
    AUTO(frame_free) Frame *frame = read_text(strbuf_cstr(&text));
    AUTO(profile_free) Profile *p = NULL;
    AUTO_STRBUF StrBuf page = STRBUF(PAGE_BYTES_MAX);
    Error err = {0};
    CHECK_OK(profile_make(frame, -1, NULL, &p, &err), err);
    CHECK_OK(profile_page(p, STR("wide"), &page, &err), err);
    check_page(strbuf_str(&page));
    CHECK(str_has(strbuf_str(&page), STR("more columns, in short")));
}

TEST(explore, words_are_explained)
{
    CHECK(explain_term(STR("vif")) != NULL);
    CHECK(explain_term(STR("no such word")) == NULL);
}
