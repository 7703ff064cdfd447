/* XML documents into trees by shape and back, as S3 and the query services have them.
 *
 * expat reads; we keep elements, texts of leaves and attributes.  Prefixes of element names are dropped: S3's
 * clients write its namespace as the default one or not at all.  A document type is refused before any entity
 * could be declared, and sizes are limited before anything is built. */

#include "aws/xml.h"

#include "aws/protocol.h"

#include <expat.h>

typedef struct Building {
    Arena *arena;
    XML_Parser parser;
    XmlNode *root, *open[XML_DEPTH_MAX];
    int depth, n_nodes;
    StrBuf text;
    const char *reason;
} Building;

static void stop(Building *building, const char *reason)
{
    if (!building->reason) building->reason = reason;
    XML_StopParser(building->parser, XML_FALSE);
}

static void begin_element(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    Building *building = arg;
    if (building->depth == XML_DEPTH_MAX) {
        stop(building, "nested too deeply");
        return;
    }
    if (++building->n_nodes > XML_NODES_MAX) {
        stop(building, "too many elements");
        return;
    }
    XmlNode *node = arena_new(building->arena, XmlNode);
    const char *colon = strrchr(name, ':');
    node->name = arena_str(building->arena, str_of(colon ? colon + 1 : name));
    XmlNode **end = &node->attributes;
    int n = 0;
    for (; attributes[0]; attributes += 2) {
        if (++n > XML_ATTRIBUTES_MAX) {
            stop(building, "too many attributes");
            return;
        }
        XmlNode *attribute = arena_new(building->arena, XmlNode);
        attribute->name = arena_str(building->arena, str_of(attributes[0]));
        attribute->text = arena_str(building->arena, str_of(attributes[1]));
        *end = attribute;
        end = &attribute->next;
    }
    if (building->depth) {
        XmlNode *parent = building->open[building->depth - 1];
        if (parent->last)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
        parent->n++;
    } else {
        building->root = node;
    }
    building->open[building->depth++] = node;
    building->text.len = 0;
}

static void end_element(void *arg, const XML_Char *name UNUSED)
{
    Building *building = arg;
    if (building->reason) return;
    XmlNode *node = building->open[--building->depth];
    node->text = node->first ? STR("") : arena_str(building->arena, strbuf_str(&building->text));
    building->text.len = 0;
}

static void add_text(void *arg, const XML_Char *text, int n)
{
    Building *building = arg;
    strbuf_add(&building->text, (Str){text, (size_t)n});
}

static void begin_doctype(void *arg, const XML_Char *name UNUSED, const XML_Char *system UNUSED,
                          const XML_Char *public UNUSED, int internal UNUSED)
{
    stop(arg, "a document type is not allowed");
}

bool xml_parse(Str bytes, Arena *arena, XmlNode **ret_root, Error *err)
{
    if (bytes.len > XML_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d bytes of XML", XML_BYTES_MAX);
    XML_Parser parser = XML_ParserCreate("UTF-8");
    if (!parser) return error_set(err, ERROR_NO_MEMORY, "no memory for a parser");
    Building building = {.arena = arena, .parser = parser, .text = STRBUF(XML_BYTES_MAX)};
    XML_SetUserData(parser, &building);
    XML_SetElementHandler(parser, begin_element, end_element);
    XML_SetCharacterDataHandler(parser, add_text);
    XML_SetStartDoctypeDeclHandler(parser, begin_doctype);
    bool ok = XML_Parse(parser, bytes.ptr, (int)bytes.len, 1) == XML_STATUS_OK && building.root &&
              !building.reason;
    if (!ok)
        error_set(err, ERROR_INVALID, "line %lu, column %lu: %s",
                  (unsigned long)XML_GetCurrentLineNumber(parser),
                  (unsigned long)XML_GetCurrentColumnNumber(parser) + 1,
                  building.reason ? building.reason : XML_ErrorString(XML_GetErrorCode(parser)));
    XML_ParserFree(parser);
    strbuf_clear(&building.text);
    if (ok) *ret_root = building.root;
    return ok;
}

/* ---- nodes into trees ---- */

static bool read_node(Reading *reading, const Shape *shape, const Member *member,
                      const XmlNode *node, int depth, const Json **ret_value);

static bool read_list(Reading *reading, const Shape *shape, const XmlNode *first, const char *only,
                      size_t n_max, int depth, const Json **ret_value)
{
    TreeList list = tree_list(reading->arena, JSON_ARRAY, n_max);
    for (const XmlNode *node = first; node; node = node->next) {
        if (only && !str_is(node->name, only)) continue;
        const Json *value;
        if (!read_node(reading, shape->members[0].shape, &shape->members[0], node, depth + 1,
                       &value))
            return false;
        tree_list_add(&list, (Str){0}, value);
    }
    *ret_value = list.value;
    return true;
}

static bool read_map(Reading *reading, const Shape *shape, const XmlNode *first, const char *only,
                     size_t n_max, int depth, const Json **ret_value)
{
    TreeList list = tree_list(reading->arena, JSON_OBJECT, n_max);
    const Member *key = &shape->members[0], *value = &shape->members[1];
    for (const XmlNode *entry = first; entry; entry = entry->next) {
        if (only && !str_is(entry->name, only)) continue;
        Str name = {0};
        const Json *read = NULL;
        for (const XmlNode *part = entry->first; part; part = part->next) {
            if (str_is(part->name, key->wire)) name = part->text;
            if (str_is(part->name, value->wire) &&
                !read_node(reading, value->shape, value, part, depth + 1, &read))
                return false;
        }
        if (!name.ptr || !read)
            return reading_refuse(reading, "an entry of a map lacks its key or value");
        tree_list_add(&list, name, read);
    }
    *ret_value = list.value;
    return true;
}

static bool read_structure(Reading *reading, const Shape *shape, const XmlNode *node, int depth,
                           const Json **ret_value)
{
    TreeList list = tree_list(reading->arena, JSON_OBJECT, (size_t)shape->n_members);
    for (int m = 0; m < shape->n_members; m++) {
        const Member *member = &shape->members[m];
        if (member->location != IN_BODY && depth == 0) continue;
        const XmlNode *found = NULL;
        size_t n = 0;
        for (const XmlNode *child = member->attribute ? node->attributes : node->first; child;
             child = child->next)
            if (str_is(child->name, member->wire)) {
                if (!found || !member->flattened) found = child;
                n++;
            }
        if (!found) continue;
        const Json *value;
        bool ok;
        if (member->flattened && member->shape->type == SHAPE_LIST)
            ok = read_list(reading, member->shape, found, member->wire, n, depth, &value);
        else if (member->flattened && member->shape->type == SHAPE_MAP)
            ok = read_map(reading, member->shape, found, member->wire, n, depth, &value);
        else
            ok = read_node(reading, member->shape, member, found, depth + 1, &value);
        if (!ok) return false;
        tree_list_add(&list, str_of(member->name), value);
    }
    *ret_value = list.value;
    return true;
}

static bool read_node(Reading *reading, const Shape *shape, const Member *member,
                      const XmlNode *node, int depth, const Json **ret_value)
{
    TimeForm form = member && member->time ? member->time
                    : shape->time          ? shape->time
                                           : TIME_ISO8601;
    switch (shape->type) {
    case SHAPE_STRUCTURE: return read_structure(reading, shape, node, depth, ret_value);
    case SHAPE_LIST:
        return read_list(reading, shape, node->first, NULL, (size_t)node->n, depth, ret_value);
    case SHAPE_MAP:
        return read_map(reading, shape, node->first, NULL, (size_t)node->n, depth, ret_value);
    case SHAPE_STRING: *ret_value = json_new_text(reading->arena, node->text); return true;
    default:
        return scalar_read(reading, shape, form, str_trim(node->text),
                           member ? member->name : shape->name, ret_value);
    }
}

bool xml_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value)
{
    XmlNode *root;
    Error why = {0};
    if (!xml_parse(body, reading->arena, &root, &why))
        return reading_refuse(reading, "%s", why.text);
    return read_node(reading, shape, NULL, root, 0, ret_value);
}

/* ---- writing ---- */

void xml_write_text(StrBuf *out, Str text)
{
    size_t begin = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *entity = c == '&'   ? "&amp;"
                             : c == '<' ? "&lt;"
                             : c == '>' ? "&gt;"
                             : c == '"' ? "&quot;"
                                        : NULL;
        bool control = (uint8_t)c < 0x20 && c != '\t' && c != '\n';
        if (!entity && !control) continue;
        strbuf_add(out, str_slice(text, begin, i));
        if (entity)
            strbuf_add(out, str_of(entity));
        else
            strbuf_addf(out, "&#x%X;", (uint8_t)c); /* as S3 writes keys that XML cannot hold */
        begin = i + 1;
    }
    strbuf_add(out, str_from(text, begin));
}

static void write_value(StrBuf *out, const Shape *shape, const Member *member, const Json *value,
                        bool ms, int depth);

static void begin_tag(StrBuf *out, const char *name, const Member *member, const Json *value)
{
    strbuf_addf(out, "<%s", name);
    if (member->xml_namespace && member->xml_prefix)
        strbuf_addf(out, " xmlns:%s=\"%s\"", member->xml_prefix, member->xml_namespace);
    else if (member->xml_namespace)
        strbuf_addf(out, " xmlns=\"%s\"", member->xml_namespace);
    if (member->shape->type == SHAPE_STRUCTURE)
        for (int m = 0; m < member->shape->n_members; m++) {
            const Member *inner = &member->shape->members[m];
            const Json *text = inner->attribute ? json_get(value, inner->name) : NULL;
            if (!text) continue;
            strbuf_addf(out, " %s=\"", inner->wire);
            xml_write_text(out, text->text);
            strbuf_add_char(out, '"');
        }
    strbuf_add_char(out, '>');
}

static void write_element(StrBuf *out, const char *name, const Member *member, const Json *value,
                          bool ms, int depth)
{
    begin_tag(out, name, member, value);
    write_value(out, member->shape, member, value, ms, depth + 1);
    strbuf_addf(out, "</%s>", name);
}

static void write_entry(StrBuf *out, const char *name, const Shape *map, const JsonMember *entry,
                        bool ms, int depth)
{
    strbuf_addf(out, "<%s><%s>", name, map->members[0].wire);
    xml_write_text(out, entry->name);
    strbuf_addf(out, "</%s>", map->members[0].wire);
    write_element(out, map->members[1].wire, &map->members[1], entry->value, ms, depth);
    strbuf_addf(out, "</%s>", name);
}

static void write_members(StrBuf *out, const Shape *shape, const Json *value, bool ms,
                          bool body_only, int depth)
{
    assert(value->type == JSON_OBJECT);
    for (size_t i = 0; i < value->n; i++) {
        const Json *given = value->members[i].value;
        const Member *member = member_find(shape, value->members[i].name);
        assert(member); /* the handler set what the answer's shape does not have */
        if (member->attribute || (body_only && member->location != IN_BODY) ||
            given->type == JSON_NULL)
            continue;
        if (member->flattened && member->shape->type == SHAPE_LIST)
            for (size_t k = 0; k < given->n; k++) {
                Member element = member->shape->members[0];
                write_element(out, member->wire, &element, given->items[k], ms, depth);
            }
        else if (member->flattened && member->shape->type == SHAPE_MAP)
            for (size_t k = 0; k < given->n; k++)
                write_entry(out, member->wire, member->shape, &given->members[k], ms, depth);
        else
            write_element(out, member->wire, member, given, ms, depth);
    }
}

static void write_value(StrBuf *out, const Shape *shape, const Member *member, const Json *value,
                        bool ms, int depth)
{
    assert(depth <= MESSAGE_DEPTH_MAX);
    switch (shape->type) {
    case SHAPE_STRUCTURE: write_members(out, shape, value, ms, false, depth); return;
    case SHAPE_LIST:
        assert(value->type == JSON_ARRAY);
        for (size_t i = 0; i < value->n; i++)
            write_element(out, shape->members[0].wire, &shape->members[0], value->items[i], ms,
                          depth);
        return;
    case SHAPE_MAP:
        assert(value->type == JSON_OBJECT);
        for (size_t i = 0; i < value->n; i++)
            write_entry(out, "entry", shape, &value->members[i], ms, depth);
        return;
    case SHAPE_STRING:
        assert(value->type == JSON_STRING);
        xml_write_text(out, value->text);
        return;
    default: break;
    }
    TimeForm form = member->time ? member->time : shape->time ? shape->time : TIME_ISO8601;
    scalar_write(out, shape, form, value, ms);
}

void xml_write_members(StrBuf *out, const Shape *shape, const Json *value, bool ms)
{
    write_members(out, shape, value, ms, true, 0);
}
