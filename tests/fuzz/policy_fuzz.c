/* Policy documents: a request line ("action resource principal") and a policy behind it.  Nothing may
 * crash; what is permitted does not depend on the time of day of asking; a denial of all beats it. */

#include "base/error.h"
#include "service/iam/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const PolicyKey keys[] = {
        {STR_INIT("aws:username"), STR_INIT("an*n")},
        {STR_INIT("aws:SourceIp"), STR_INIT("10.0.0.1")},
        {STR_INIT("aws:CurrentTime"), STR_INIT("2024-06-01T00:00:00Z")},
        {STR_INIT("s3:max-keys"), STR_INIT("10")},
        {STR_INIT("aws:TagKeys"), STR_INIT("a")},
        {STR_INIT("aws:TagKeys"), STR_INIT("b")},
        {STR_INIT("aws:SourceArn"), STR_INIT("arn:aws:s3:::b/k")},
    };
    Str text = {(const char *)data, size}, line, part[3] = {{0}, {0}, {0}};
    if (!size || !str_next_line(&text, &line)) return 0;
    for (int i = 0; i < 3; i++)
        if (!str_next(&line, ' ', &part[i])) break;
    if (!text.ptr) return 0;
    PolicyRequest request = {.action = part[0],
                             .resource = part[1],
                             .account = STR("123456789012"),
                             .principal = part[2],
                             .keys = keys,
                             .n_keys = COUNT(keys)};
    for (PolicyKind kind = POLICY_IDENTITY; kind <= POLICY_RESOURCE; kind++) {
        Error err = {0};
        Policy *policy = policy_new(text, kind, POLICY_TEXT_MAX, &err);
        if (!policy) {
            if (err.kind == ERROR_NONE || !err.text[0]) abort();
            continue;
        }
        int statement;
        PolicyEffect effect = policy_evaluate(policy, &request, &statement);
        if ((effect == EFFECT_NONE) != (statement < 0)) abort();
        if (policy_evaluate(policy, &request, NULL) != effect) abort();
        if (policy_allows_all(policy) && (effect != EFFECT_ALLOW || policy_has_denial(policy)))
            abort();
        if (effect == EFFECT_DENY && !policy_has_denial(policy)) abort();
        policy_free(policy);
    }
    return 0;
}
