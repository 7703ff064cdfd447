#include "format/json_build.h"

#include "base/test.h"

TEST(json_build, what_was_set_is_written_in_order)
{
    ARENA(arena);
    Json *object = json_new_object(&arena), *array = json_new_array(&arena);
    for (int i = 0; i < 9; i++) json_push(&arena, array, json_new_int(&arena, i));
    json_set_text(&arena, object, "a", STR("x\"y"));
    json_set(&arena, object, "b", array);
    json_set(&arena, object, "left out", NULL);
    json_set_bool(&arena, object, "c", true);
    json_set_double(&arena, object, "d", 0.5);
    json_set_int(&arena, object, "e", 1);
    json_set_int(&arena, object, "a", -7);
    CHECK_STR(json_text(&arena, object),
              STR("{\"a\":-7,\"b\":[0,1,2,3,4,5,6,7,8],\"c\":true,\"d\":0.5,\"e\":1}"));
}

TEST(json_build, a_copy_can_be_added_to)
{
    ARENA(arena);
    Error err = {0};
    const Json *parsed;
    CHECK_OK(
        json_parse(STR("{\"a\":{\"b\":[1,2,{\"c\":\"d\"}]},\"n\":null}"), &arena, &parsed, &err),
        err);
    Json *copy = json_copy(&arena, parsed);
    json_set_int(&arena, copy, "z", 3);
    CHECK_STR(json_text(&arena, copy),
              STR("{\"a\":{\"b\":[1,2,{\"c\":\"d\"}]},\"n\":null,\"z\":3}"));
    CHECK_STR(json_path(copy, "a.b.2.c")->text, STR("d"));
    CHECK(!json_path(copy, "a.b.3"));
    CHECK(!json_path(copy, "a.x.y"));
}
