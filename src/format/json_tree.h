#ifndef CLARY_FORMAT_JSON_TREE_H
#define CLARY_FORMAT_JSON_TREE_H

/* How the readers of JSON and UBJSON build a tree without calling themselves. */

#include "format/json.h"

typedef struct JsonBuilder {
    Arena *arena, *scratch;
    JsonMember *open; /* of all open arrays and objects, the innermost last */
    size_t n, capacity;
} JsonBuilder;

/* One more member or element (its name is ignored then) of the innermost array or object. */
void json_builder_push(JsonBuilder *builder, Str name, const Json *value);

/* Gives an array or object what was pushed since `begin`. */
void json_builder_close(JsonBuilder *builder, size_t begin, Json *value);

#endif
