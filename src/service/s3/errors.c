/* The errors of S3: statuses and messages as AWS answers them. */

#include "service/s3/s3.h"

static const struct {
    const char *code;
    int status;
    const char *message;
} errors[] = {
    {"AccessDenied", 403, "Access Denied"},
    {"BadDigest", 400,
     "The Content-MD5 or checksum value that you specified did not match what the server received."},
    {"BucketAlreadyExists", 409,
     "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
     "Please select a different name and try again."},
    {"BucketAlreadyOwnedByYou", 409,
     "Your previous request to create the named bucket succeeded and you already own it."},
    {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
    {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
    {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
    {"IllegalVersioningConfigurationException", 400, "The Versioning element must be specified"},
    {"IncompleteBody", 400,
     "You did not provide the number of bytes specified by the Content-Length HTTP header"},
    {"InsufficientStorage", 507, "The server has no room left on its disk for this object"},
    {"InternalError", 500, "We encountered an internal error. Please try again."},
    {"InvalidArgument", 400, "Invalid Argument"},
    {"InvalidBucketName", 400, "The specified bucket is not valid."},
    {"InvalidBucketState", 409, "The request is not valid with the current state of the bucket."},
    {"InvalidDigest", 400, "The Content-MD5 you specified was invalid."},
    {"InvalidPart", 400,
     "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
     "specified entity tag may not match the part's entity tag."},
    {"InvalidPartNumber", 416, "The requested partnumber is not satisfiable"},
    {"InvalidPartOrder", 400,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {"InvalidRange", 416, "The requested range is not satisfiable"},
    {"InvalidRequest", 400, "Invalid Request"},
    {"InvalidStorageClass", 400, "The storage class you specified is not valid"},
    {"InvalidTag", 400, "The TagValue you have provided is invalid"},
    {"KeyTooLongError", 400, "Your key is too long"},
    {"MalformedACLError", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {"MalformedPOSTRequest", 400,
     "The body of your POST request is not well-formed multipart/form-data."},
    {"MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'"},
    {"MalformedXML", 400,
     "The XML you provided was not well-formed or did not validate against our published schema"},
    {"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"},
    {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
    {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
    {"NoSuchBucket", 404, "The specified bucket does not exist"},
    {"NoSuchBucketPolicy", 404, "The bucket policy does not exist"},
    {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"},
    {"NoSuchKey", 404, "The specified key does not exist."},
    {"NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"},
    {"NoSuchObjectLockConfiguration", 404,
     "The specified object does not have a ObjectLock configuration"},
    {"NoSuchPublicAccessBlockConfiguration", 404,
     "The public access block configuration was not found"},
    {"NoSuchTagSet", 404, "The TagSet does not exist"},
    {"NoSuchUpload", 404,
     "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
     "or completed."},
    {"NoSuchVersion", 404, "The specified version does not exist."},
    {"NoSuchWebsiteConfiguration", 404,
     "The specified bucket does not have a website configuration"},
    {"NotImplemented", 501, "A header you provided implies functionality that is not implemented"},
    {"NotModified", 304, "Not Modified"},
    {"ObjectLockConfigurationNotFoundError", 404,
     "Object Lock configuration does not exist for this bucket"},
    {"OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"},
    {"PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"},
    {"ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found"},
    {"ServerSideEncryptionConfigurationNotFoundError", 404,
     "The server side encryption configuration was not found"},
    {"TooManyBuckets", 400, "You have attempted to create more buckets than allowed"},
    {"XAmzContentChecksumMismatch", 400, "The provided checksum does not match what was computed."},
};

bool s3_fail(Call *call, Error *err, const char *code)
{
    if (!code && err && err->kind == ERROR_LIMIT)
        code = "InsufficientStorage"; /* the database's disk */
    if (!code) return false;
    for (size_t i = 0; i < COUNT(errors); i++) {
        if (strcmp(errors[i].code, code) != 0) continue;
        Str bucket = call_text(call, "Bucket"), key = call_text(call, "Key");
        Json *details = json_new_object(call->arena);
        if (bucket.ptr) json_set_text(call->arena, details, "BucketName", bucket);
        if (key.ptr) json_set_text(call->arena, details, "Key", key);
        if (details->n) call->error_details = details;
        return call_error_status(call, err, errors[i].status, errors[i].code, "%s",
                                 errors[i].message);
    }
    assert(false); /* an error of S3 without a row */
    return call_error_status(call, err, 500, "InternalError", "%s", code);
}

bool s3_code(const char **ret_code, Error *err, const char *code)
{
    if (ret_code) *ret_code = code;
    for (size_t i = 0; i < COUNT(errors); i++)
        if (strcmp(errors[i].code, code) == 0)
            return error_set(err, errors[i].status == 404 ? ERROR_NOT_FOUND : ERROR_CONFLICT, "%s",
                             errors[i].message);
    return error_set(err, ERROR_INVALID, "%s", code);
}

const char *s3_message(const char *code)
{
    for (size_t i = 0; i < COUNT(errors); i++)
        if (strcmp(errors[i].code, code) == 0) return errors[i].message;
    return code;
}
