/* The services' operation rows held against the shapes, as JSON. */

#include "service/api_doc.h"

#include "format/json.h"
#include "service/call.h"

static void describe_row(JsonWriter *writer, const ServiceShape *shape, const ServiceOperation *row)
{
    json_begin_object(writer);
    json_member_string(writer, "name", str_of(row->name));
    json_member_string(writer, "does",
                       str_of(row->flags & OPERATION_STORED ? "stores" : "computes"));
    json_name(writer, STR("action"));
    AUTO_STRBUF StrBuf action = STRBUF(256);
    if (row->action)
        strbuf_add(&action, str_of(row->action));
    else
        strbuf_addf(&action, "%s:%s", shape->signing_name, row->name);
    json_string(writer, strbuf_str(&action));
    if (row->resource) json_member_string(writer, "resource", str_of(row->resource));
    if (row->flags & OPERATION_ANONYMOUS) json_member_bool(writer, "anonymous", true);
    json_end_object(writer);
}

static void describe_service(JsonWriter *writer, const ServiceShape *shape)
{
    static const char *const protocols[] = {"json", "rest-json", "rest-xml", "query", "cbor"};
    const Service *service = service_find(str_of(shape->name));
    json_begin_object(writer);
    json_member_string(writer, "name", str_of(shape->name));
    json_member_string(writer, "version", str_of(shape->api_version));
    json_name(writer, STR("protocols"));
    json_begin_array(writer);
    for (size_t i = 0; i < COUNT(protocols); i++)
        if (shape->protocols >> i & 1) json_string(writer, str_of(protocols[i]));
    json_end_array(writer);
    json_name(writer, STR("operations"));
    json_begin_array(writer);
    for (int i = 0; i < shape->n_operations; i++) {
        Str name = str_of(shape->operations[i].name);
        const ServiceOperation *row = service ? service_operation_find(service, name) : NULL;
        if (row) describe_row(writer, shape, row);
    }
    json_end_array(writer);
    json_name(writer, STR("refused"));
    json_begin_array(writer);
    for (int i = 0; i < shape->n_operations; i++) {
        Str name = str_of(shape->operations[i].name);
        if (!service || !service_operation_find(service, name)) json_string(writer, name);
    }
    for (const char *const *other = shape->others; *other; other++)
        json_string(writer, str_of(*other));
    json_end_array(writer);
    json_end_object(writer);
}

void api_describe(StrBuf *out)
{
    JsonWriter writer = JSON_WRITER(out);
    json_begin_object(&writer);
    json_name(&writer, STR("services"));
    json_begin_array(&writer);
    for (const ServiceShape *const *shape = service_shapes; *shape; shape++)
        describe_service(&writer, *shape);
    json_end_array(&writer);
    json_end_object(&writer);
}
