/* Settings of buckets: documents that are stored and given back, and what has an effect here.
 *
 * A row of the table says where a document is in the request and in the answer, and what is answered
 * while there is none.  Versioning, policy, CORS, lifecycle, ACL, public access block and default encryption act; the
 * others are kept for the client that asks for them. */

#include "service/s3/settings.h"

#include <math.h>

typedef struct Setting {
    const char *name;    /* in s3_setting */
    const char *in;      /* member of the Put request that is the document */
    const char *out;     /* member of the Get answer; NULL: the document's own members are */
    const char *missing; /* error of Get while there is none; NULL: an empty answer */
    bool (*check)(Call *call, const Json *document, Error *err); /* or NULL */
} Setting;

static bool check_tags(Call *call, const Json *document, Error *err)
{
    const char *code = s3_tags_check(json_get(document, "TagSet"), S3_BUCKET_TAGS_MAX);
    return !code || s3_fail(call, err, code);
}

static bool check_cors(Call *call, const Json *document, Error *err)
{
    static const char *const methods[] = {"GET", "PUT", "HEAD", "POST", "DELETE"};
    const Json *rules = json_get(document, "CORSRules");
    if (!rules || !rules->n || rules->n > 100) return s3_fail(call, err, "MalformedXML");
    for (size_t i = 0; i < rules->n; i++) {
        const Json *allowed = json_get(rules->items[i], "AllowedMethods");
        for (size_t k = 0; allowed && k < allowed->n; k++) {
            bool known = false;
            for (size_t m = 0; m < COUNT(methods); m++)
                known |= str_is(allowed->items[k]->text, methods[m]);
            if (!known)
                return call_error_status(
                    call, err, 400, "InvalidRequest",
                    "Found unsupported HTTP method in CORS config. Unsupported method is %.*s",
                    STR_ARG(allowed->items[k]->text));
        }
        const Json *origins = json_get(rules->items[i], "AllowedOrigins");
        for (size_t k = 0; origins && k < origins->n; k++) {
            Str origin = origins->items[k]->text;
            size_t star = str_find(origin, '*');
            if (star < origin.len &&
                str_find(str_from(origin, star + 1), '*') < origin.len - star - 1)
                return call_error_status(
                    call, err, 400, "InvalidRequest",
                    "AllowedOrigin \"%.*s\" can not have more than one wildcard.", STR_ARG(origin));
        }
    }
    return true;
}

static bool check_lifecycle(Call *call, const Json *document, Error *err)
{
    const Json *rules = json_get(document, "Rules");
    if (!rules || !rules->n || rules->n > 1000) return s3_fail(call, err, "MalformedXML");
    for (size_t i = 0; i < rules->n; i++) {
        const Json *rule = rules->items[i], *expiration = json_get(rule, "Expiration");
        if (json_get_text(rule, "ID").len > 255)
            return call_error_status(call, err, 400, "InvalidArgument",
                                     "ID length should not exceed allowed limit of 255");
        for (size_t k = 0; k < i; k++)
            if (json_get_text(rule, "ID").len &&
                str_eq(json_get_text(rule, "ID"), json_get_text(rules->items[k], "ID")))
                return call_error_status(
                    call, err, 400, "InvalidArgument",
                    "Rule ID must be unique. Found same ID for more than one rule");
        static const char *const actions[] = {"Expiration",
                                              "NoncurrentVersionExpiration",
                                              "AbortIncompleteMultipartUpload",
                                              "Transitions",
                                              "Transition",
                                              "NoncurrentVersionTransitions"};
        bool any = false;
        for (size_t k = 0; k < COUNT(actions); k++) any |= json_get(rule, actions[k]) != NULL;
        if (!any)
            return call_error_status(call, err, 400, "InvalidRequest",
                                     "At least one action needs to be specified in a rule.");
        if (json_get(expiration, "Days") && json_get_int(expiration, "Days", 0) <= 0)
            return call_error_status(call, err, 400, "InvalidArgument",
                                     "'Days' for Expiration action must be a positive integer");
        double date = json_get_double(expiration, "Date", 0);
        if (date != floor(date / 86400) * 86400)
            return call_error_status(call, err, 400, "InvalidArgument",
                                     "'Date' must be at midnight GMT");
    }
    return true;
}

static bool check_encryption(Call *call, const Json *document, Error *err)
{
    const Json *rules = json_get(document, "Rules");
    if (!rules || rules->n != 1) return s3_fail(call, err, "MalformedXML");
    Str algorithm = json_get_text(json_get(rules->items[0], "ApplyServerSideEncryptionByDefault"),
                                  "SSEAlgorithm");
    /* Keys of KMS are not built: what would not be done is not promised. */
    return !algorithm.len || str_is(algorithm, "AES256") || s3_fail(call, err, "NotImplemented");
}

static const Setting settings[] = {
    {"tagging", "Tagging", NULL, "NoSuchTagSet", check_tags},
    {"cors", "CORSConfiguration", NULL, "NoSuchCORSConfiguration", check_cors},
    {"lifecycle", "LifecycleConfiguration", NULL, "NoSuchLifecycleConfiguration", check_lifecycle},
    {"encryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfiguration",
     "ServerSideEncryptionConfigurationNotFoundError", check_encryption},
    {"website", "WebsiteConfiguration", NULL, "NoSuchWebsiteConfiguration", NULL},
    {"logging", "BucketLoggingStatus", NULL, NULL, NULL},
    {"accelerate", "AccelerateConfiguration", NULL, NULL, NULL},
    {"payment", "RequestPaymentConfiguration", NULL, NULL, NULL},
    {"notification", "NotificationConfiguration", NULL, NULL, NULL},
    {"block", "PublicAccessBlockConfiguration", "PublicAccessBlockConfiguration",
     "NoSuchPublicAccessBlockConfiguration", NULL},
    {"ownership", "OwnershipControls", "OwnershipControls", "OwnershipControlsNotFoundError", NULL},
};

static const Setting *setting_named(const char *name)
{
    for (size_t i = 0; i < COUNT(settings); i++)
        if (strcmp(settings[i].name, name) == 0) return &settings[i];
    assert(false); /* a setting without a row */
    return NULL;
}

/* ---- storing and loading ---- */

typedef struct SettingWork {
    S3 *s3;
    Arena *arena;
    Str bucket_name;
    const char *name;
    Str document;            /* to save; ptr NULL: remove */
    S3Versioning versioning; /* of save_versioning */
    S3Bucket bucket;
    const char *code;
} SettingWork;

static bool need_bucket(SettingWork *w, DbTx *tx, bool writes, Error *err)
{
    Error own = {0};
    if (!s3_bucket_load(tx, w->s3, w->bucket_name, w->arena, &w->bucket, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&w->code, err, "NoSuchBucket");
        return error_set(err, own.kind, "%s", own.text);
    }
    return !writes || !w->bucket.folder || s3_code(&w->code, err, "AccessDenied");
}

static bool load_work(void *arg, DbTx *tx, Error *err)
{
    SettingWork *w = arg;
    return need_bucket(w, tx, false, err) &&
           s3_setting_load(tx, &w->bucket, w->name, w->arena, &w->document, err);
}

static bool save_work(void *arg, DbTx *tx, Error *err)
{
    SettingWork *w = arg;
    if (!need_bucket(w, tx, true, err)) return false;
    if (w->document.ptr) return s3_setting_save(tx, &w->bucket, w->name, w->document, err);
    return db_run(tx, err, "DELETE FROM s3_setting WHERE bucket = ? AND name = ?", "it",
                  w->bucket.id, str_of(w->name));
}

static SettingWork work_of(Call *call, const char *name)
{
    return (SettingWork){.s3 = s3_of(call),
                         .arena = call->arena,
                         .bucket_name = call_text(call, "Bucket"),
                         .name = name};
}

static bool save(Call *call, const char *name, Str document, Error *err)
{
    SettingWork w = work_of(call, name);
    w.document = document;
    if (!db_write(w.s3->db, save_work, &w, err)) return s3_fail(call, err, w.code);
    s3_cache_clear_buckets(w.s3->cache);
    return true;
}

static bool load(Call *call, const char *name, Str *ret_document, Error *err)
{
    SettingWork w = work_of(call, name);
    if (!s3_owner_expected(call, err)) return false;
    if (!db_read(w.s3->db, load_work, &w, err)) return s3_fail(call, err, w.code);
    *ret_document = w.document;
    return true;
}

static bool put_setting(Call *call, const char *name, Error *err)
{
    const Setting *setting = setting_named(name);
    const Json *document = json_get(call->in, setting->in);
    if (!s3_owner_expected(call, err)) return false;
    if (!document) return s3_fail(call, err, "MalformedXML");
    if (setting->check && !setting->check(call, document, err)) return false;
    return save(call, name, json_text(call->arena, document), err);
}

static bool get_setting(Call *call, const char *name, Error *err)
{
    const Setting *setting = setting_named(name);
    Str text;
    const Json *document;
    if (!load(call, name, &text, err)) return false;
    if (!text.ptr) return !setting->missing || s3_fail(call, err, setting->missing);
    if (!json_parse(text, call->arena, &document, err)) return false;
    if (setting->out)
        json_set(call->arena, call->out, setting->out, document);
    else
        for (size_t i = 0; i < document->n; i++)
            json_set_str(call->arena, call->out, document->members[i].name,
                         document->members[i].value);
    return true;
}

static bool delete_setting(Call *call, const char *name, Error *err)
{
    return s3_owner_expected(call, err) && save(call, name, (Str){0}, err);
}

#define STORED(verb, function, name)                                                               \
    static bool verb##_##function(Call *call, Error *err)                                          \
    {                                                                                              \
        return verb##_setting(call, name, err);                                                    \
    }
STORED(put, tagging, "tagging")
STORED(get, tagging, "tagging")
STORED(delete, tagging, "tagging")
STORED(put, cors, "cors")
STORED(get, cors, "cors")
STORED(delete, cors, "cors")
STORED(put, lifecycle, "lifecycle")
STORED(get, lifecycle, "lifecycle")
STORED(delete, lifecycle, "lifecycle")
STORED(put, encryption, "encryption")
STORED(get, encryption, "encryption")
STORED(delete, encryption, "encryption")
STORED(put, website, "website")
STORED(get, website, "website")
STORED(delete, website, "website")
STORED(put, logging, "logging")
STORED(get, logging, "logging")
STORED(put, accelerate, "accelerate")
STORED(get, accelerate, "accelerate")
STORED(put, payment, "payment")
STORED(put, notification, "notification")
STORED(get, notification, "notification")
STORED(put, block, "block")
STORED(get, block, "block")
STORED(delete, block, "block")
STORED(put, ownership, "ownership")
STORED(get, ownership, "ownership")
STORED(delete, ownership, "ownership")

static bool get_payment(Call *call, Error *err)
{
    json_set_text(call->arena, call->out, "Payer", STR("BucketOwner"));
    return get_setting(call, "payment", err);
}

/* ---- versioning ---- */

static bool save_versioning(void *arg, DbTx *tx, Error *err)
{
    SettingWork *w = arg;
    return need_bucket(w, tx, true, err) &&
           db_run(tx, err, "UPDATE s3_bucket SET versioning = ? WHERE id = ?", "ii",
                  (int64_t)w->versioning, w->bucket.id);
}

static bool put_versioning(Call *call, Error *err)
{
    const Json *document = json_get(call->in, "VersioningConfiguration");
    Str status = json_get_text(document, "Status");
    SettingWork w = work_of(call, NULL);
    if (!s3_owner_expected(call, err)) return false;
    if (str_is(json_get_text(document, "MFADelete"), "Enabled"))
        return s3_fail(call, err, "NotImplemented");
    if (!status.len) return s3_fail(call, err, "IllegalVersioningConfigurationException");
    w.versioning = str_is(status, "Enabled") ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;
    if (!db_write(w.s3->db, save_versioning, &w, err)) return s3_fail(call, err, w.code);
    s3_cache_clear(w.s3->cache);
    return true;
}

static bool get_versioning(Call *call, Error *err)
{
    S3Bucket bucket;
    if (!s3_owner_expected(call, err) ||
        !s3_bucket_need(call, call_text(call, "Bucket"), &bucket, err))
        return false;
    if (bucket.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "Status",
                      bucket.versioning == VERSIONING_ENABLED ? STR("Enabled") : STR("Suspended"));
    return true;
}

/* ---- policies ---- */

static bool principal_is_all(const Json *principal)
{
    if (!principal) return false;
    if (principal->type == JSON_STRING) return str_is(principal->text, "*");
    if (principal->type == JSON_ARRAY) {
        for (size_t i = 0; i < principal->n; i++)
            if (principal->items[i]->type == JSON_STRING && str_is(principal->items[i]->text, "*"))
                return true;
        return false;
    }
    const Json *inner = json_get(principal, "AWS");
    return inner && inner->type != JSON_OBJECT && principal_is_all(inner);
}

bool s3_policy_is_public(const Json *policy)
{
    const Json *statements = json_get(policy, "Statement");
    size_t n = !statements ? 0 : statements->type == JSON_ARRAY ? statements->n : 1;
    for (size_t i = 0; i < n; i++) {
        const Json *statement = statements->type == JSON_ARRAY ? statements->items[i] : statements;
        if (str_is(json_get_text(statement, "Effect"), "Allow") &&
            principal_is_all(json_get(statement, "Principal")) && !json_get(statement, "Condition"))
            return true;
    }
    return false;
}

/* Every resource must be in the bucket. */
static bool resources_are_in(const Json *resources, Str bucket_arn)
{
    size_t n = !resources ? 0 : resources->type == JSON_ARRAY ? resources->n : 1;
    for (size_t i = 0; i < n; i++) {
        const Json *one = resources->type == JSON_ARRAY ? resources->items[i] : resources;
        if (one->type != JSON_STRING || !str_starts(one->text, bucket_arn)) return false;
        Str rest = str_from(one->text, bucket_arn.len);
        if (rest.len && rest.ptr[0] != '/' && rest.ptr[0] != '*') return false;
    }
    return true;
}

static bool malformed(Call *call, Error *err, const char *reason)
{
    return call_error_status(call, err, 400, "MalformedPolicy", "%s", reason);
}

static bool check_policy(Call *call, Str text, const Json **ret_policy, Error *err)
{
    Error reason = {0};
    const Json *policy;
    if (text.len > S3_POLICY_BYTES_MAX)
        return malformed(call, err, "The policy is longer than 20480 bytes");
    if (!json_parse(text, call->arena, &policy, &reason) || policy->type != JSON_OBJECT)
        return s3_fail(call, err, "MalformedPolicy");
    const Json *statements = json_get(policy, "Statement");
    size_t n = !statements ? 0 : statements->type == JSON_ARRAY ? statements->n : 1;
    if (!n) return malformed(call, err, "Missing required field Statement");
    Str arn = s3_arn(call, call_text(call, "Bucket"), (Str){0});
    for (size_t i = 0; i < n; i++) {
        const Json *statement = statements->type == JSON_ARRAY ? statements->items[i] : statements;
        Str effect = json_get_text(statement, "Effect");
        if (!str_is(effect, "Allow") && !str_is(effect, "Deny"))
            return malformed(call, err, "Missing required field Effect");
        if (!json_get(statement, "Principal") && !json_get(statement, "NotPrincipal"))
            return malformed(call, err, "Missing required field Principal");
        if (!json_get(statement, "Action") && !json_get(statement, "NotAction"))
            return malformed(call, err, "Missing required field Action");
        if (!json_get(statement, "Resource") && !json_get(statement, "NotResource"))
            return malformed(call, err, "Missing required field Resource");
        if (!resources_are_in(json_get(statement, "Resource"), arn))
            return malformed(call, err, "Policy has invalid resource");
    }
    *ret_policy = policy;
    return true;
}

static bool block_says(Call *call, const char *member, bool *ret_yes, Error *err)
{
    Str text;
    const Json *block;
    *ret_yes = false;
    if (!load(call, "block", &text, err)) return false;
    if (text.ptr && json_parse(text, call->arena, &block, NULL))
        *ret_yes = json_get_bool(block, member, false);
    return true;
}

static bool put_policy(Call *call, Error *err)
{
    Str text = call_text(call, "Policy");
    const Json *policy;
    bool blocked;
    if (!check_policy(call, text, &policy, err) ||
        !block_says(call, "BlockPublicPolicy", &blocked, err))
        return false;
    if (blocked && s3_policy_is_public(policy)) return s3_fail(call, err, "AccessDenied");
    return save(call, "policy", text, err);
}

static bool get_policy(Call *call, Error *err)
{
    Str text;
    if (!load(call, "policy", &text, err)) return false;
    if (!text.ptr) return s3_fail(call, err, "NoSuchBucketPolicy");
    json_set_text(call->arena, call->out, "Policy", text);
    return true;
}

static bool get_policy_status(Call *call, Error *err)
{
    Str text;
    const Json *policy;
    if (!load(call, "policy", &text, err)) return false;
    if (!text.ptr) return s3_fail(call, err, "NoSuchBucketPolicy");
    if (!json_parse(text, call->arena, &policy, err)) return false;
    Json *status = json_new_object(call->arena);
    json_set_bool(call->arena, status, "IsPublic", s3_policy_is_public(policy));
    json_set(call->arena, call->out, "PolicyStatus", status);
    return true;
}

static bool delete_policy(Call *call, Error *err)
{
    return delete_setting(call, "policy", err);
}

/* ---- ACLs ---- */

static bool put_acl(Call *call, Error *err)
{
    Str acl;
    bool blocked;
    if (!s3_acl_of_request(call, &acl, err) || !block_says(call, "BlockPublicAcls", &blocked, err))
        return false;
    if (blocked && str_starts(acl, STR("public"))) return s3_fail(call, err, "AccessDenied");
    return save(call, "acl", str_is(acl, "private") ? (Str){0} : acl, err);
}

static bool get_acl(Call *call, Error *err)
{
    Str acl;
    if (!load(call, "acl", &acl, err)) return false;
    s3_acl_answer(call, acl);
    return true;
}

/* ---- what is never set here ---- */

static bool get_replication(Call *call, Error *err)
{
    return s3_owner_expected(call, err) &&
           s3_bucket_need(call, call_text(call, "Bucket"), NULL, err) &&
           s3_fail(call, err, "ReplicationConfigurationNotFoundError");
}

static bool get_lock(Call *call, Error *err)
{
    return s3_owner_expected(call, err) &&
           s3_bucket_need(call, call_text(call, "Bucket"), NULL, err) &&
           s3_fail(call, err, "ObjectLockConfigurationNotFoundError");
}

static bool get_object_lock(Call *call, Error *err)
{
    return s3_owner_expected(call, err) &&
           s3_bucket_need(call, call_text(call, "Bucket"), NULL, err) &&
           call_error_status(call, err, 400, "InvalidRequest",
                             "Bucket is missing Object Lock Configuration");
}

#define BUCKET "arn:aws:s3:::{Bucket}"
#define ROW(name_, function, action_)                                                              \
    {                                                                                              \
#name_, function, .resource = BUCKET, .action = "s3:" action_                              \
    }
#define ROW_WRITES(name_, function, action_)                                                       \
    {                                                                                              \
#name_, function, .resource = BUCKET, .action = "s3:" action_, .flags = OPERATION_WRITES   \
    }
#define ROW_STORED(name_, function, action_)                                                       \
    {                                                                                              \
#name_, function, .resource = BUCKET, .action = "s3:" action_,                             \
                          .flags = OPERATION_WRITES | OPERATION_STORED                             \
    }

const ServiceOperation s3_setting_operations[] = {
    ROW_WRITES(PutBucketTagging, put_tagging, "PutBucketTagging"),
    ROW(GetBucketTagging, get_tagging, "GetBucketTagging"),
    ROW_WRITES(DeleteBucketTagging, delete_tagging, "PutBucketTagging"),
    ROW_WRITES(PutBucketCors, put_cors, "PutBucketCORS"),
    ROW(GetBucketCors, get_cors, "GetBucketCORS"),
    ROW_WRITES(DeleteBucketCors, delete_cors, "PutBucketCORS"),
    ROW_WRITES(PutBucketLifecycleConfiguration, put_lifecycle, "PutLifecycleConfiguration"),
    ROW(GetBucketLifecycleConfiguration, get_lifecycle, "GetLifecycleConfiguration"),
    ROW_WRITES(DeleteBucketLifecycle, delete_lifecycle, "PutLifecycleConfiguration"),
    ROW_WRITES(PutBucketEncryption, put_encryption, "PutEncryptionConfiguration"),
    ROW(GetBucketEncryption, get_encryption, "GetEncryptionConfiguration"),
    ROW_WRITES(DeleteBucketEncryption, delete_encryption, "PutEncryptionConfiguration"),
    ROW_STORED(PutBucketWebsite, put_website, "PutBucketWebsite"),
    ROW(GetBucketWebsite, get_website, "GetBucketWebsite"),
    ROW_WRITES(DeleteBucketWebsite, delete_website, "DeleteBucketWebsite"),
    ROW_STORED(PutBucketLogging, put_logging, "PutBucketLogging"),
    ROW(GetBucketLogging, get_logging, "GetBucketLogging"),
    ROW_STORED(PutBucketAccelerateConfiguration, put_accelerate, "PutAccelerateConfiguration"),
    ROW(GetBucketAccelerateConfiguration, get_accelerate, "GetAccelerateConfiguration"),
    ROW_STORED(PutBucketRequestPayment, put_payment, "PutBucketRequestPayment"),
    ROW(GetBucketRequestPayment, get_payment, "GetBucketRequestPayment"),
    ROW_STORED(PutBucketNotificationConfiguration, put_notification, "PutBucketNotification"),
    ROW(GetBucketNotificationConfiguration, get_notification, "GetBucketNotification"),
    ROW_WRITES(PutPublicAccessBlock, put_block, "PutBucketPublicAccessBlock"),
    ROW(GetPublicAccessBlock, get_block, "GetBucketPublicAccessBlock"),
    ROW_WRITES(DeletePublicAccessBlock, delete_block, "PutBucketPublicAccessBlock"),
    ROW_STORED(PutBucketOwnershipControls, put_ownership, "PutBucketOwnershipControls"),
    ROW(GetBucketOwnershipControls, get_ownership, "GetBucketOwnershipControls"),
    ROW_WRITES(DeleteBucketOwnershipControls, delete_ownership, "PutBucketOwnershipControls"),
    ROW_WRITES(PutBucketVersioning, put_versioning, "PutBucketVersioning"),
    ROW(GetBucketVersioning, get_versioning, "GetBucketVersioning"),
    ROW_WRITES(PutBucketPolicy, put_policy, "PutBucketPolicy"),
    ROW(GetBucketPolicy, get_policy, "GetBucketPolicy"),
    ROW(GetBucketPolicyStatus, get_policy_status, "GetBucketPolicyStatus"),
    ROW_WRITES(DeleteBucketPolicy, delete_policy, "DeleteBucketPolicy"),
    ROW_WRITES(PutBucketAcl, put_acl, "PutBucketAcl"),
    ROW(GetBucketAcl, get_acl, "GetBucketAcl"),
    ROW(GetBucketReplication, get_replication, "GetReplicationConfiguration"),
    ROW(GetObjectLockConfiguration, get_lock, "GetBucketObjectLockConfiguration"),
    {"GetObjectRetention", get_object_lock, .resource = BUCKET "/{Key}"},
    {"GetObjectLegalHold", get_object_lock, .resource = BUCKET "/{Key}"},
    {0},
};
