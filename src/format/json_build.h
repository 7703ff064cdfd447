#ifndef CLARY_FORMAT_JSON_BUILD_H
#define CLARY_FORMAT_JSON_BUILD_H

/* Trees of JSON values made by hand, in an arena.
 *
 *     Json *answer = json_new_object(arena);
 *     json_set_text(arena, answer, "Name", name);
 *     json_set(arena, answer, "Tags", tags);          a NULL value is left out
 *
 * Only objects and arrays made here may be added to; a tree that json_parse made is finished. */

#include "format/json.h"

Json *json_new_object(Arena *arena);
Json *json_new_array(Arena *arena);
Json *json_new_text(Arena *arena, Str text); /* keeps the view: the bytes must live as long */
Json *json_new_int(Arena *arena, int64_t x);
Json *json_new_double(Arena *arena, double x);
Json *json_new_bool(Arena *arena, bool x);

/* Adds a member, or replaces the value of the one that has the name (a C string that stays). */
void json_set(Arena *arena, Json *object, const char *name, const Json *value);
void json_set_text(Arena *arena, Json *object, const char *name, Str text);
void json_set_int(Arena *arena, Json *object, const char *name, int64_t x);
void json_set_double(Arena *arena, Json *object, const char *name, double x);
void json_set_bool(Arena *arena, Json *object, const char *name, bool x);
void json_set_str(Arena *arena, Json *object, Str name,
                  const Json *value); /* a name that is no literal */
void json_push(Arena *arena, Json *array, const Json *value);

/* A copy in `arena` that shares nothing with `value`; objects and arrays in it may be added to. */
Json *json_copy(Arena *arena, const Json *value);

/* The value as compact JSON text; at most JSON_TEXT_BYTES_MAX, beyond that ptr is NULL. */
enum { JSON_TEXT_BYTES_MAX = 16 << 20 };
Str json_text(Arena *arena, const Json *value);

/* Reading without ceremony: the member's text, number or truth, or what stands for "not there". */
Str json_get_text(const Json *object, const char *name); /* ptr NULL */
int64_t json_get_int(const Json *object, const char *name, int64_t absent);
double json_get_double(const Json *object, const char *name, double absent);
bool json_get_bool(const Json *object, const char *name, bool absent);

/* "A.B.2.C": members and positions; NULL when the way ends before. */
const Json *json_path(const Json *value, const char *path);

#endif
