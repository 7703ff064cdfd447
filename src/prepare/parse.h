#ifndef CLARY_PREPARE_PARSE_H
#define CLARY_PREPARE_PARSE_H

/* One line of a recipe; *ret_empty: it holds nothing but a comment. */

#include "prepare/step.h"

bool step_parse(Str text, Arena *arena, Step *ret_step, bool *ret_empty, Error *err);

void recipe_push(Recipe *recipe, const Step *step);

#endif
