/* Uploads by an HTML form (POST to the bucket, multipart/form-data), with the policy that the form carries.
 *
 * The fields before the file are few and kept; the file streams into its object.  What follows the file is
 * ignored, as AWS does. */

#include "service/s3/post.h"
#include "service/s3/put.h"
#include "service/s3/settings.h"

#include "format/timestamp.h"
#include "service/iam/access.h"

static bool malformed(Call *call, Error *err)
{
    return s3_fail(call, err, "MalformedPOSTRequest");
}

/* ---- reading ---- */

static bool more(Form *form, Error *err)
{
    Str piece;
    if (form->ended) return malformed(form->call, err);
    if (form->at) {
        memmove(form->buffer.ptr, form->buffer.ptr + form->at, form->buffer.len - form->at);
        form->buffer.len -= form->at;
        form->at = 0;
    }
    if (!form->next(form->arg, &piece, err)) return false;
    form->ended = piece.len == 0;
    strbuf_add(&form->buffer, piece);
    return !form->buffer.overflow || malformed(form->call, err);
}

static Str unread(const Form *form)
{
    return str_from(strbuf_str(&form->buffer), form->at);
}

/* Position of `needle` in `text`, or text.len. */
static size_t find(Str text, Str needle)
{
    const char *found = needle.len <= text.len ? memmem(text.ptr, text.len, needle.ptr, needle.len)
                                               : NULL;
    return found ? (size_t)(found - text.ptr) : text.len;
}

/* The text before `end`, which is used up too; at most `max` bytes. */
static bool up_to(Form *form, Str end, size_t max, Str *ret_text, Error *err)
{
    for (;;) {
        Str text = unread(form);
        size_t at = find(text, end);
        if (at < text.len) {
            if (at > max) return malformed(form->call, err);
            *ret_text = arena_str(form->call->arena, str_slice(text, 0, at));
            form->at += at + end.len;
            return true;
        }
        if (text.len > max + end.len) return malformed(form->call, err);
        if (!more(form, err)) return false;
    }
}

/* Content-Disposition: form-data; name="key"; filename="x" */
static bool part_head(Form *form, Str *ret_name, bool *ret_file, Error *err)
{
    Str line;
    *ret_name = (Str){0};
    form->file_type = (Str){0};
    for (int lines = 0;; lines++) {
        if (lines == 16) return malformed(form->call, err);
        if (!up_to(form, STR("\r\n"), 4096, &line, err)) return false;
        if (!line.len) break;
        size_t colon = str_find(line, ':');
        if (colon == line.len) return malformed(form->call, err);
        Str name = str_slice(line, 0, colon), value = str_trim(str_from(line, colon + 1)),
            parameters;
        if (str_eq_nocase(name, STR("Content-Type"))) form->file_type = value;
        if (!str_eq_nocase(name, STR("Content-Disposition"))) continue;
        if (!str_eq_nocase(http_media_type(value, &parameters), STR("form-data")))
            return malformed(form->call, err);
        *ret_name = http_parameter(parameters, STR("name"));
        form->file_name = http_parameter(parameters, STR("filename"));
    }
    *ret_file = str_eq_nocase(*ret_name, STR("file"));
    return ret_name->len || malformed(form->call, err);
}

bool s3_form_fields(Form *form, Error *err)
{
    Str first = str_from(form->delimiter, 2), text; /* the first one has no line before it */
    while (unread(form).len < first.len)
        if (!more(form, err)) return false;
    if (!str_starts(unread(form), first)) return malformed(form->call, err);
    form->at += first.len;
    for (;;) {
        Str name;
        bool file;
        if (!up_to(form, STR("\r\n"), 256, &text, err)) return false;
        if (str_trim(text).len)
            return call_error_status(form->call, err, 400, "InvalidArgument",
                                     "POST requires exactly one file upload per request.");
        if (!part_head(form, &name, &file, err)) return false;
        if (file) return true;
        if (form->n_fields == FORM_FIELDS_MAX) return malformed(form->call, err);
        if (!up_to(form, form->delimiter, S3_FORM_BYTES_MAX, &text, err)) return false;
        form->field_bytes += name.len + text.len;
        if (form->field_bytes > S3_FORM_BYTES_MAX)
            return call_error_status(
                form->call, err, 400, "MaxPostPreDataLengthExceeded",
                "Your POST request fields preceding the upload file were too large.");
        form->fields[form->n_fields++] = (FormField){name, text};
    }
}

bool s3_form_file(Form *form, bool (*sink)(void *arg, Str piece, Error *err), void *arg, Error *err)
{
    for (;;) {
        Str text = unread(form);
        size_t at = find(text, form->delimiter), keep = form->delimiter.len - 1;
        size_t n = at < text.len ? at : text.len > keep ? text.len - keep : 0;
        if (n && !sink(arg, str_slice(text, 0, n), err)) return false;
        form->at += n;
        if (at < text.len) break;
        if (!more(form, err)) return false;
    }
    /* The rest is read, so that the connection can go on. */
    for (Str piece = {"", 1}; piece.len && !form->ended;)
        if (!form->next(form->arg, &piece, err)) return false;
    return true;
}

typedef struct FileSink {
    Call *call;
    S3Writer *writer;
    int64_t size, max;
} FileSink;

static bool to_writer(void *arg, Str piece, Error *err)
{
    FileSink *sink = arg;
    sink->size += (int64_t)piece.len;
    if (sink->size > sink->max) return s3_fail(sink->call, err, "EntityTooLarge");
    return s3_writer_add(sink->writer, piece, err);
}

static Str field(const Form *form, const char *name)
{
    for (size_t i = 0; i < form->n_fields; i++)
        if (str_eq_nocase(form->fields[i].name, str_of(name))) return form->fields[i].value;
    return (Str){0};
}

/* ---- the policy ---- */

static bool denied(Call *call, Error *err, const char *why, Str what)
{
    return call_error_status(call, err, 403, "AccessDenied", "Invalid according to Policy: %s%.*s",
                             why, STR_ARG(what));
}

static Str value_of(const Form *form, Str bucket, Str name)
{
    if (str_starts(name, STR("$"))) name = str_from(name, 1);
    if (str_eq_nocase(name, STR("bucket"))) return bucket;
    for (size_t i = 0; i < form->n_fields; i++)
        if (str_eq_nocase(form->fields[i].name, name)) return form->fields[i].value;
    return (Str){0};
}

static bool condition_holds(const Form *form, Str bucket, const Json *condition, Str *ret_name)
{
    Str want, got;
    bool starts = false;
    if (condition->type == JSON_OBJECT) {
        if (condition->n != 1 || condition->members[0].value->type != JSON_STRING) return false;
        *ret_name = condition->members[0].name;
        want = condition->members[0].value->text;
    } else {
        const Json *kind = json_at(condition, 0), *name = json_at(condition, 1),
                   *value = json_at(condition, 2);
        if (!kind || !name || !value || name->type != JSON_STRING || value->type != JSON_STRING)
            return false;
        starts = str_eq_nocase(kind->text, STR("starts-with"));
        if (!starts && !str_eq_nocase(kind->text, STR("eq"))) return false;
        *ret_name = name->text;
        want = value->text;
    }
    got = value_of(form, bucket, *ret_name);
    if (starts) return str_starts(got.ptr ? got : STR(""), want);
    return str_eq(got, want);
}

/* Fields that no condition has to name. */
static bool is_free(Str name)
{
    static const char *const names[] = {"x-amz-signature", "signature", "file", "policy",
                                        "AWSAccessKeyId"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(name, str_of(names[i]))) return true;
    return name.len >= 9 && str_eq_nocase(str_slice(name, 0, 9), STR("x-ignore-"));
}

static bool policy_holds(const Form *form, Str bucket, int64_t *ret_min, int64_t *ret_max,
                         Error *err)
{
    Call *call = form->call;
    Str text;
    const Json *policy;
    int64_t expires;
    Error ignored;
    if (!base64_bytes(call->arena, field(form, "policy"), &text) ||
        !json_parse(text, call->arena, &policy, &ignored))
        return call_error_status(call, err, 400, "InvalidPolicyDocument",
                                 "Invalid Policy: Invalid JSON.");
    if (!timestamp_parse(json_get_text(policy, "expiration"), &expires))
        return call_error_status(call, err, 400, "InvalidPolicyDocument",
                                 "Invalid Policy: Invalid 'expiration' value");
    if (call->now * 1e6 > (double)expires) return denied(call, err, "Policy expired.", STR(""));
    const Json *conditions = json_get(policy, "conditions");
    if (!conditions || conditions->type != JSON_ARRAY)
        return call_error_status(call, err, 400, "InvalidPolicyDocument",
                                 "Invalid Policy: Invalid 'conditions' value");
    bool named[FORM_FIELDS_MAX] = {false};
    for (size_t i = 0; i < conditions->n; i++) {
        const Json *condition = conditions->items[i], *kind = json_at(condition, 0);
        if (kind && kind->type == JSON_STRING &&
            str_eq_nocase(kind->text, STR("content-length-range"))) {
            double min = 0, max = 0;
            if (!json_number_at(condition, 1, &min) || !json_number_at(condition, 2, &max))
                return call_error_status(call, err, 400, "InvalidPolicyDocument",
                                         "Invalid Policy: Invalid Condition");
            *ret_min = MAX(*ret_min, (int64_t)min);
            *ret_max = MIN(*ret_max, (int64_t)max);
            continue;
        }
        Str name = {0};
        if (!condition_holds(form, bucket, condition, &name))
            return denied(call, err,
                          "Policy Condition failed: ", json_text(call->arena, condition));
        if (str_starts(name, STR("$"))) name = str_from(name, 1);
        for (size_t k = 0; k < form->n_fields; k++)
            named[k] |= str_eq_nocase(form->fields[k].name, name);
    }
    for (size_t k = 0; k < form->n_fields; k++)
        if (!named[k] && !is_free(form->fields[k].name))
            return denied(call, err, "Extra input fields: ", form->fields[k].name);
    return true;
}

/* Who sent it: the signature in the fields; without one nobody. */
static bool form_caller(const Form *form, Error *err)
{
    Call *call = form->call;
    PostFields fields = {.policy = field(form, "policy"),
                         .algorithm = field(form, "x-amz-algorithm"),
                         .credential = field(form, "x-amz-credential"),
                         .date = field(form, "x-amz-date"),
                         .mac = field(form, "x-amz-signature").len ? field(form, "x-amz-signature")
                                                                   : field(form, "signature"),
                         .token = field(form, "x-amz-security-token"),
                         .access_key = field(form, "AWSAccessKeyId")};
    if (!fields.mac.len && !fields.policy.len) return true;
    return access_authenticate_post(call->server, &fields, call->arena, &call->caller, &call->code,
                                    err);
}

/* ---- the upload ---- */

/* The fields as members of PutObject. */
static Json *as_put(const Form *form, Str bucket, Str key)
{
    static const char *const members[][2] = {
        {"acl", "ACL"},
        {"Cache-Control", "CacheControl"},
        {"Content-Type", "ContentType"},
        {"Content-Disposition", "ContentDisposition"},
        {"Content-Encoding", "ContentEncoding"},
        {"Content-Language", "ContentLanguage"},
        {"x-amz-storage-class", "StorageClass"},
        {"x-amz-server-side-encryption", "ServerSideEncryption"},
        {"x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"},
        {"x-amz-website-redirect-location", "WebsiteRedirectLocation"},
        {"Content-MD5", "ContentMD5"},
        {"x-amz-checksum-crc32", "ChecksumCRC32"},
        {"x-amz-checksum-crc32c", "ChecksumCRC32C"},
        {"x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"},
        {"x-amz-checksum-sha1", "ChecksumSHA1"},
        {"x-amz-checksum-sha256", "ChecksumSHA256"},
        {"x-amz-checksum-algorithm", "ChecksumAlgorithm"},
    };
    Arena *arena = form->call->arena;
    Json *in = json_new_object(arena), *metadata = json_new_object(arena);
    json_set_text(arena, in, "Bucket", bucket);
    json_set_text(arena, in, "Key", key);
    for (size_t i = 0; i < COUNT(members); i++) {
        Str value = field(form, members[i][0]);
        if (value.ptr) json_set_text(arena, in, members[i][1], value);
    }
    for (size_t i = 0; i < form->n_fields; i++) {
        Str name = form->fields[i].name;
        if (name.len > 11 && str_eq_nocase(str_slice(name, 0, 11), STR("x-amz-meta-")))
            json_set_str(arena, metadata, str_from(name, 11),
                         json_new_text(arena, form->fields[i].value));
    }
    if (metadata->n) json_set(arena, in, "Metadata", metadata);
    return in;
}

/* <Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag>...: the one XML among the fields. */
static bool tags_of_xml(Call *call, Str text, Str *ret_tags, Error *err)
{
    Json *tags = json_new_array(call->arena);
    size_t at;
    while ((at = find(text, STR("<Key>"))) < text.len) {
        text = str_from(text, at + 5);
        size_t end = find(text, STR("</Key>"));
        Str key = str_slice(text, 0, end);
        size_t value_at = find(text, STR("<Value>")), value_end = find(text, STR("</Value>"));
        if (end == text.len || value_end == text.len || value_at + 7 > value_end)
            return s3_fail(call, err, "MalformedXML");
        Str value = str_slice(text, value_at + 7, value_end);
        if (str_find(key, '<') < key.len || str_find(key, '&') < key.len ||
            str_find(value, '<') < value.len || str_find(value, '&') < value.len)
            return s3_fail(call, err, "MalformedXML");
        Json *tag = json_new_object(call->arena);
        json_set_text(call->arena, tag, "Key", key);
        json_set_text(call->arena, tag, "Value", value);
        json_push(call->arena, tags, tag);
        text = str_from(text, value_end + 8);
    }
    const char *code = s3_tags_check(tags, S3_TAGS_MAX);
    if (code) return s3_fail(call, err, code);
    *ret_tags = tags->n ? json_text(call->arena, tags) : (Str){0};
    return true;
}

/* "uploads/${filename}" */
static Str key_of(const Form *form)
{
    static const char mark[] = "${filename}";
    Str key = field(form, "key");
    size_t at = find(key, STR("${filename}"));
    if (at == key.len) return key;
    Str name = form->file_name;
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '/' || name.ptr[i - 1] == '\\') {
            name = str_from(name, i);
            break;
        }
    Str rest = str_from(key, at + sizeof mark - 1);
    return arena_format(form->call->arena, "%.*s%.*s%.*s", (int)at, key.ptr, STR_ARG(name),
                        STR_ARG(rest));
}

static void xml_text(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            strbuf_add(out, STR("&lt;"));
        else if (c == '>')
            strbuf_add(out, STR("&gt;"));
        else if (c == '&')
            strbuf_add(out, STR("&amp;"));
        else if (c == '"')
            strbuf_add(out, STR("&quot;"));
        else
            strbuf_add_char(out, c);
    }
}

static void answer(const Form *form, const S3Put *put)
{
    Call *call = form->call;
    HttpCall *http = call->http;
    WireAnswer cors = {0};
    Str etag = s3_quoted(call->arena, put->row.etag),
        key = s3_url_encode(call->arena, put->row.key);
    Str location = arena_format(
        call->arena, "%s://%.*s/%.*s/%.*s", call->server->options->certificate ? "https" : "http",
        STR_ARG(http_field(http->request, STR("Host"))), STR_ARG(put->bucket), STR_ARG(key));
    s3_cors_fields(call, &cors, put->bucket);
    for (int i = 0; i < cors.n_fields; i++)
        http_call_field(http, cors.fields[i].name, cors.fields[i].value);
    http_call_field(http, STR("x-amz-request-id"), call->request_id);
    http_call_field(http, STR("ETag"), etag);
    if (put->found.versioning != VERSIONING_NEVER)
        http_call_field(http, STR("x-amz-version-id"), put->row.version);
    Str redirect = field(form, "success_action_redirect").len
                       ? field(form, "success_action_redirect")
                       : field(form, "redirect");
    bool plain = redirect.len > 0;
    for (size_t i = 0; i < redirect.len; i++)
        plain &= redirect.ptr[i] > 0x20 && redirect.ptr[i] < 0x7f;
    if (plain) {
        http_call_field(http, STR("Location"),
                        arena_format(call->arena, "%.*s%cbucket=%.*s&key=%.*s&etag=%%22%.*s%%22",
                                     STR_ARG(redirect),
                                     str_find(redirect, '?') < redirect.len ? '&' : '?',
                                     STR_ARG(put->bucket), STR_ARG(key), STR_ARG(put->row.etag)));
        http_call_answer(http, 303, (Str){0}, (Str){0});
        return;
    }
    Str status = field(form, "success_action_status");
    http_call_field(http, STR("Location"), location);
    if (!str_is(status, "201")) {
        http_call_answer(http, str_is(status, "200") ? 200 : 204, (Str){0}, (Str){0});
        return;
    }
    AUTO_STRBUF StrBuf body = STRBUF(64 << 10);
    strbuf_add(&body, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>"));
    xml_text(&body, location);
    strbuf_add(&body, STR("</Location><Bucket>"));
    xml_text(&body, put->bucket);
    strbuf_add(&body, STR("</Bucket><Key>"));
    xml_text(&body, put->row.key);
    strbuf_add(&body, STR("</Key><ETag>"));
    xml_text(&body, etag);
    strbuf_add(&body, STR("</ETag></PostResponse>"));
    http_call_answer(http, 201, STR("application/xml"), strbuf_str(&body));
}

static bool upload(Form *form, Str bucket, Error *err)
{
    Call *call = form->call;
    int64_t min = 0, max = S3_PUT_BYTES_MAX;
    S3Put put = {.s3 = s3_of(call), .bucket = bucket, .arena = call->arena};
    S3Asked asked;
    S3SumsEnd sums;
    S3Writer writer = {.fd = -1};
    if (!s3_form_fields(form, err)) return false;
    if (!field(form, "key").ptr)
        return call_error_status(
            call, err, 400, "InvalidArgument",
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order "
            "of the fields.");
    if (!form_caller(form, err)) return false;
    if (field(form, "policy").len && !policy_holds(form, bucket, &min, &max, err)) return false;
    put.row.key = key_of(form);
    call->in = as_put(form, bucket, put.row.key);
    Json *meta = json_new_object(call->arena);
    if (!call_authorize(call, "s3:PutObject", s3_arn(call, bucket, put.row.key), err) ||
        !s3_key_check(call, err) || !s3_bucket_need(call, bucket, NULL, err) ||
        !s3_meta_of_request(call, meta, &put.row, err) || !s3_asked_of_request(call, &asked, err) ||
        !tags_of_xml(call, field(form, "tagging"), &put.row.tags, err))
        return false;
    FileSink sink = {.call = call, .writer = &writer, .max = max};
    bool ok = s3_writer_open(put.s3, asked.kind, -1, true, &writer, err) &&
              s3_form_file(form, to_writer, &sink, err) &&
              (sink.size >= min || s3_fail(call, err, "EntityTooSmall")) &&
              s3_writer_end(&writer, call->arena, &sums, err) &&
              s3_sums_agree(call, &asked, &sums, err);
    if (ok) {
        s3_sums_members(call->arena, meta, &asked, &sums);
        put.row.meta = json_text(call->arena, meta);
        put.row.etag = arena_str(call->arena, str_of(sums.etag));
        put.row.size = writer.size;
        put.row.modified = s3_now(call);
        put.writer = &writer;
        ok = s3_put_commit(&put, err) || s3_fail(call, err, put.code);
    }
    s3_writer_drop(&writer);
    if (ok) answer(form, &put);
    return ok;
}

static bool next_of_call(void *arg, Str *ret_piece, Error *err)
{
    return http_call_next(arg, ret_piece, err);
}

bool s3_form_begin(Form *form, Call *call, Str content_type, Error *err)
{
    Str parameters;
    http_media_type(content_type, &parameters);
    Str boundary = http_parameter(parameters, STR("boundary"));
    *form = (Form){.call = call, .buffer = STRBUF(FORM_BUFFER_BYTES_MAX)};
    if (!boundary.len || boundary.len > FORM_BOUNDARY_MAX) return malformed(call, err);
    form->delimiter = arena_format(call->arena, "\r\n--%.*s", STR_ARG(boundary));
    return true;
}

bool s3_post_form(Call *call, Str bucket, Error *err)
{
    Form *form = arena_new(call->arena, Form);
    Str type = http_field_value(call->http->request, call->http->request->content_type);
    if (!s3_form_begin(form, call, type, err)) return false;
    form->next = next_of_call;
    form->arg = call->http;
    bool ok = upload(form, bucket, err);
    strbuf_clear(&form->buffer);
    return ok;
}
