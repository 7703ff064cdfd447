/* Request parameters for the audit record, without recursion: a stack of open values. */

#include "service/cloudtrail/events.h"

#define HIDDEN "HIDDEN_DUE_TO_SECURITY_REASONS"

typedef struct Open {
    const Json *value;
    const Shape *shape; /* NULL: free-form */
    size_t next;
} Open;

static const Shape *member_shape(const Shape *shape, Str name)
{
    if (!shape) return NULL;
    if (shape->type == SHAPE_MAP) return shape->n_members > 1 ? shape->members[1].shape : NULL;
    if (shape->type != SHAPE_STRUCTURE) return NULL;
    for (int i = 0; i < shape->n_members; i++)
        if (str_is(name, shape->members[i].name)) return shape->members[i].shape;
    return NULL;
}

/* Names that tell a secret where the model does not. */
static bool is_secret_name(Str name)
{
    static const char *const parts[] = {"Password", "SecretAccessKey", "SessionToken", "SecretKey"};
    for (size_t i = 0; i < COUNT(parts); i++)
        if (str_has(name, str_of(parts[i]))) return true;
    return false;
}

static void add_name(JsonWriter *writer, Str name)
{
    char text[128];
    size_t n = MIN(name.len, sizeof text);
    memcpy(text, name.ptr, n);
    if (n && text[0] >= 'A' && text[0] <= 'Z') text[0] |= 32;
    json_name(writer, (Str){text, n});
}

void audit_message_text(const Json *message, const Shape *shape, StrBuf *out)
{
    Open stack[JSON_DEPTH_MAX];
    int depth = 0;
    JsonWriter writer = JSON_WRITER(out);
    if (message->type != JSON_OBJECT) return;
    json_begin_object(&writer);
    stack[0] = (Open){message, shape, 0};
    while (depth >= 0) {
        Open *open = &stack[depth];
        bool object = open->value->type == JSON_OBJECT;
        if (open->next == open->value->n || out->overflow) {
            if (object)
                json_end_object(&writer);
            else
                json_end_array(&writer);
            depth--;
            continue;
        }
        size_t i = open->next++;
        const Json *value = object ? open->value->members[i].value : open->value->items[i];
        const Shape *inner = NULL;
        bool hidden = false;
        if (object) {
            Str name = open->value->members[i].name;
            inner = member_shape(open->shape, name);
            hidden = value->type == JSON_STRING && is_secret_name(name);
            if (open->shape && open->shape->type == SHAPE_MAP)
                json_name(&writer, name); /* a key of the user's */
            else
                add_name(&writer, name);
        } else if (open->shape && open->shape->type == SHAPE_LIST && open->shape->n_members) {
            inner = open->shape->members[0].shape;
        }
        hidden |= inner && (inner->sensitive || inner->type == SHAPE_BLOB);
        if (hidden) {
            json_string(&writer, STR(HIDDEN));
        } else if ((value->type == JSON_OBJECT || value->type == JSON_ARRAY) &&
                   depth + 1 < JSON_DEPTH_MAX) {
            if (value->type == JSON_OBJECT)
                json_begin_object(&writer);
            else
                json_begin_array(&writer);
            stack[++depth] = (Open){value, inner, 0};
        } else if (value->type == JSON_OBJECT || value->type == JSON_ARRAY) {
            json_null(&writer);
        } else {
            json_value(&writer, value);
        }
    }
}
