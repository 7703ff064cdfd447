#include "format/recordio.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>

static Str from_hex(Arena *arena, const char *hex)
{
    char *bytes = arena_alloc(arena, strlen(hex)), *to = bytes;
    for (unsigned value; *hex; hex++) {
        if (*hex == ' ' || *hex == '\n') continue;
        const char *digits = "0123456789abcdef";
        value = (unsigned)(strchr(digits, hex[0]) - digits) << 4 |
                (unsigned)(strchr(digits, hex[1]) - digits);
        *to++ = (char)value;
        hex++;
    }
    return (Str){bytes, (size_t)(to - bytes)};
}

/* Three frames that Google's protobuf library has checked. */
static const char dense_frame[] =
    "0a 23 d7 ce 34 00 00 00 0a 1e 0a 06 76 61 6c 75 65 73 12 14 12 12 0a 10"
    "00 00 00 3f 00 00 00 c0 00 00 50 40 00 00 c8 42 12 12 0a 06 76 61 6c 75"
    "65 73 12 08 12 06 0a 04 00 00 80 3f";
static const char sparse_frame[] =
    "0a 23 d7 ce 35 00 00 00 0a 1f 0a 06 76 61 6c 75 65 73 12 15 12 13 0a 08"
    "00 00 20 40 00 00 80 bf 12 03 03 f0 01 1a 02 ac 02 12 12 0a 06 76 61 6c"
    "75 65 73 12 08 12 06 0a 04 00 00 00 00 00 00 00";
static const char pair_frame[] =
    "0a 23 d7 ce 26 00 00 00 0a 12 0a 06 73 6f 75 72 63 65 12 08 3a 06 0a 04"
    "0c d9 02 04 0a 10 0a 06 74 61 72 67 65 74 12 06 3a 04 0a 02 09 06 00 00";

static bool first_record(Str frames, Record *record, Error *err)
{
    AUTO_STRBUF StrBuf joined = STRBUF(0);
    Str payload;
    size_t used;
    return recordio_next(frames, true, &joined, &payload, &used, err) &&
           record_parse(payload, record, err);
}

TEST(recordio, test_vectors)
{
    ARENA(scratch);
    Error err = {0};
    Record record;
    RecordTensor tensor = {0};

    CHECK_OK(first_record(from_hex(&scratch, dense_frame), &record, &err), err);
    CHECK_OK(
        record_tensor(record_main_entry(record.features, record.n_features)->value, &tensor, &err),
        err);
    CHECK_INT(tensor.type, RECORD_FLOAT32);
    CHECK(!tensor.sparse);
    CHECK_INT(tensor.size, 4);
    const float dense[] = {0.5f, -2, 3.25f, 100};
    for (int i = 0; i < 4; i++) CHECK_NEAR(tensor.values[i], dense[i], 0);
    CHECK_OK(record_tensor(record_main_entry(record.labels, record.n_labels)->value, &tensor, &err),
             err);
    CHECK_INT(tensor.n_values, 1);
    CHECK_NEAR(tensor.values[0], 1, 0);
    CHECK(!record.uid.ptr && !record.metadata.ptr);

    CHECK_OK(first_record(from_hex(&scratch, sparse_frame), &record, &err), err);
    CHECK_OK(record_tensor(record.features[0].value, &tensor, &err), err);
    CHECK(tensor.sparse);
    CHECK_INT(tensor.size, 300);
    CHECK_INT(tensor.n_keys, 2);
    CHECK_INT(tensor.keys[1], 240);
    CHECK_NEAR(tensor.values[0], 2.5, 0);

    CHECK_OK(first_record(from_hex(&scratch, pair_frame), &record, &err), err);
    CHECK(!record_main_entry(record.features, record.n_features));
    CHECK_OK(record_tensor(record_entry(record.features, 2, "source")->value, &tensor, &err), err);
    CHECK_INT(tensor.type, RECORD_INT32);
    CHECK_NEAR(tensor.values[1], 345, 0);
    record_tensor_clear(&tensor);
}

TEST(recordio, writes_the_test_vectors)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf out = STRBUF(1000);
    const float dense[] = {0.5f, -2, 3.25f, 100}, one = 1, zero = 0, values[] = {2.5f, -1};
    const int32_t keys[] = {3, 240};
    RecordOutput features = {.name = STR("values"), .values = dense, .n = 4};
    RecordOutput label = {.name = STR("values"), .values = &one, .n = 1};
    CHECK(recordio_write_record(&out, &features, 1, &label, 1, (Str){0}, (Str){0}));
    CHECK_STR(strbuf_str(&out), from_hex(&scratch, dense_frame));

    out.len = 0;
    features = (RecordOutput){
        .name = STR("values"), .values = values, .keys = keys, .n = 2, .size = 300};
    label.values = &zero;
    CHECK(recordio_write_record(&out, &features, 1, &label, 1, (Str){0}, (Str){0}));
    CHECK_STR(strbuf_str(&out), from_hex(&scratch, sparse_frame));
}

TEST(recordio, parts_are_joined_with_their_magic)
{
    ARENA(scratch);
    /* uid = "ab" magic "cd" magic "": 12 bytes + 2 of head, cut at the magic words. */
    Str frames = from_hex(&scratch, "0a 23 d7 ce 04 00 00 20 1a 0c 61 62"
                                    "0a 23 d7 ce 02 00 00 40 63 64 00 00"
                                    "0a 23 d7 ce 00 00 00 60");
    Error err = {0};
    AUTO_STRBUF StrBuf joined = STRBUF(0);
    Str payload;
    size_t used;
    for (size_t n = 0; n < frames.len; n++) {
        CHECK_OK(recordio_next((Str){frames.ptr, n}, false, &joined, &payload, &used, &err), err);
        CHECK_INT(used, 0);
    }
    CHECK_OK(recordio_next(frames, true, &joined, &payload, &used, &err), err);
    CHECK_INT(used, frames.len);
    Record record;
    CHECK_OK(record_parse(payload, &record, &err), err);
    CHECK_STR(record.uid, from_hex(&scratch, "61 62 0a 23 d7 ce 63 64 0a 23 d7 ce"));
    CHECK(!recordio_next((Str){frames.ptr, 24}, true, &joined, &payload, &used, &err));
    CHECK_STR(str_of(err.text), STR("the data is cut off: a record's last part is missing"));
}

TEST(recordio, the_last_padding_may_be_missing)
{
    ARENA(scratch);
    Error err = {0};
    Record record;
    Str frame = from_hex(&scratch, sparse_frame);
    CHECK_OK(first_record((Str){frame.ptr, frame.len - 3}, &record, &err), err);
    CHECK_INT(record.n_labels, 1);
}

TEST(recordio, unpacked_repeated_and_unknown_fields)
{
    ARENA(scratch);
    Error err = {0};
    RecordTensor tensor = {0};
    /* float32_tensor: values 1.0 unpacked, {2.0} packed, unknown group 9 { varint }, 3.0 unpacked */
    Str value = from_hex(&scratch,
                         "12 16 0d 00 00 80 3f 0a 04 00 00 00 40 4b 08 01 4c 58 05 0d 00 00 40 40");
    CHECK_OK(record_tensor(value, &tensor, &err), err);
    CHECK_INT(tensor.n_values, 3);
    for (int i = 0; i < 3; i++) CHECK_NEAR(tensor.values[i], i + 1, 0);

    /* int32: -5 as ten bytes; then a float64_tensor that replaces it, then keys and a shape of 2 x 3 */
    value = from_hex(&scratch, "3a 0c 0a 0a fb ff ff ff ff ff ff ff ff 01");
    CHECK_OK(record_tensor(value, &tensor, &err), err);
    CHECK_NEAR(tensor.values[0], -5, 0);
    value = from_hex(&scratch, "3a 0c 0a 0a fb ff ff ff ff ff ff ff ff 01"
                               "1a 1a 0a 10 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40"
                               "12 02 05 01 1a 02 02 03");
    CHECK_OK(record_tensor(value, &tensor, &err), err);
    CHECK_INT(tensor.type, RECORD_FLOAT64);
    CHECK(tensor.sparse);
    CHECK_INT(tensor.size, 6);
    CHECK_INT(tensor.keys[0], 1);
    CHECK_INT(tensor.keys[1], 5);
    CHECK_NEAR(tensor.values[0], 2, 0);

    /* an all-zero sparse row has only a shape */
    CHECK_OK(record_tensor(from_hex(&scratch, "12 03 1a 01 07"), &tensor, &err), err);
    CHECK(tensor.sparse);
    CHECK_INT(tensor.size, 7);
    record_tensor_clear(&tensor);
}

TEST(recordio, the_last_entry_of_a_name_counts)
{
    ARENA(scratch);
    Error err = {0};
    Record record;
    Str payload = from_hex(&scratch, "0a 05 0a 01 61 12 00 0a 06 0a 01 61 12 01 00 22 01 7b 1a 00");
    CHECK_OK(record_parse(payload, &record, &err), err);
    CHECK_INT(record.n_features, 1);
    CHECK_INT(record.features[0].value.len, 1);
    CHECK_STR(record.metadata, STR("{"));
    CHECK(record.uid.ptr && record.uid.len == 0);
}

TEST(recordio, refusals)
{
    ARENA(scratch);
    const struct {
        const char *frames, *want;
    } frames[] = {
        {"50 41 52 31 00 00 00 00",
         "0x31524150 where a record should begin (0xced7230a): this is no RecordIO data, or it is damaged"},
        {"0a 23 d7 ce 04 00", "the data is cut off: 6 bytes where a record should begin"},
        {"0a 23 d7 ce 10 00 00 00 0a 0a",
         "the data is cut off: the record says 16 bytes, 2 are there"},
        {"0a 23 d7 ce 01 00 00 04", "the record says it has 67108865 bytes, the limit is 67108864"},
        {"0a 23 d7 ce 00 00 00 40", "a record begins with a part of flag 2; 0 or 1 was expected"},
        {"0a 23 d7 ce 00 00 00 20 0a 23 d7 ce 00 00 00 00",
         "a part with flag 0 follows a record's first part; 2 or 3 was expected"},
        {"0a 23 d7 ce 02 00 00 00 0a 7f 00 00", "its bytes are no protobuf Record"},
        {"0a 23 d7 ce 02 00 00 00 0f 00 00 00", "its bytes are no protobuf Record"},
    };
    for (size_t i = 0; i < COUNT(frames); i++) {
        Error err = {0};
        Record record;
        CHECK(!first_record(from_hex(&scratch, frames[i].frames), &record, &err));
        CHECK_STR(str_of(err.text), str_of(frames[i].want));
    }

    const struct {
        const char *value, *want;
    } values[] = {
        {"12 05 0a 03 00 00 00", "its packed values take 3 bytes, which is no multiple of 4"},
        {"12 0b 0a 04 00 00 80 3f 12 01 07 1a 00",
         "it has keys, but no shape; a sparse vector needs its dimension"},
        {"12 0c 0a 04 00 00 80 3f 12 01 07 1a 01 07", "key 7 is outside its shape of 7"},
        {"12 0d 0a 04 00 00 80 3f 12 02 06 01 1a 01 07", "it has 2 keys, but 1 values"},
        {"12 11 0a 08 00 00 80 3f 00 00 80 3f 12 02 06 06 1a 01 07", "key 6 occurs twice"},
        {"12 09 0a 04 00 00 80 3f 1a 01 02", "it has 1 values, but its shape says 2"},
        {"12 0e 1a 0c ff ff ff ff 07 ff ff ff ff 07 ff 01",
         "its shape has more than 2147483647 elements"},
        {"1a 0a 0a 08 ff ff ff ff ff ff ef 7f",
         "value 0 is 1.79769e+308, which is beyond the range of float32"},
        {"12 0b 12 06 80 80 80 80 08 00 1a 01 07",
         "key 2147483648 is beyond the limit of 2147483647"},
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        Error err = {0};
        RecordTensor tensor = {0};
        CHECK(!record_tensor(from_hex(&scratch, values[i].value), &tensor, &err));
        CHECK_STR(str_of(err.text), str_of(values[i].want));
        record_tensor_clear(&tensor);
    }
}

TEST(recordio, bodies_become_rows_and_back)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Random random = random_stream(7, 1);
    enum { ROWS = 50, COLS = 9 };
    for (int i = 0; i < ROWS; i++) {
        float values[COLS];
        int32_t keys[COLS];
        size_t n = 0;
        for (int j = 0; j < COLS; j++) {
            if (i % 2 && random_unit(random, (uint64_t)(i * COLS + j)) < 0.5) continue;
            keys[n] = j;
            values[n++] = (float)(i * COLS + j);
        }
        RecordOutput features = {.name = STR("values"),
                                 .values = values,
                                 .keys = i % 2 ? keys : NULL,
                                 .n = n,
                                 .size = COLS};
        Str uid = i == 20 ? STR("twenty") : (Str){0};
        CHECK(
            recordio_write_record(&out, &features, 1, NULL, 0, uid, i % 3 ? (Str){0} : STR("{}")));
    }
    Error err = {0};
    RecordRows rows;
    CHECK_OK(recordio_read_rows(strbuf_str(&out), -1, 1000, &scratch, &rows, &err), err);
    CHECK_INT(rows.n_rows, ROWS);
    CHECK_INT(rows.n_cols, COLS);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++) {
            bool absent = i % 2 && random_unit(random, (uint64_t)(i * COLS + j)) < 0.5;
            CHECK_NEAR(rows.rows[i * COLS + j], absent ? -1 : i * COLS + j, 0);
        }
    CHECK_STR(rows.uid[20], STR("twenty"));
    CHECK(!rows.uid[21].ptr && rows.metadata[48].len == 2 && !rows.metadata[49].ptr);
    data_free(rows.rows);
    CHECK(!recordio_read_rows(strbuf_str(&out), -1, 400, &scratch, &rows, &err));
    CHECK_INT(err.kind, ERROR_LIMIT);

    RecordOutput wide = {.name = STR("values"), .values = (float[10]){0}, .n = 10};
    CHECK(recordio_write_record(&out, &wide, 1, NULL, 0, (Str){0}, (Str){0}));
    CHECK(!recordio_read_rows(strbuf_str(&out), -1, 1000, &scratch, &rows, &err));
    CHECK(str_starts(str_of(err.text), STR("record 50 at byte ")));
    CHECK(str_ends(str_of(err.text), STR(": it has 10 features, record 0 has 9")));
}
