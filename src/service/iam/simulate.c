/* SimulatePrincipalPolicy and SimulateCustomPolicy: what would be decided.  The SageMaker SDK asks it
 * before it starts a job. */

#include "service/iam/iam.h"

enum { POLICIES_MAX = 64, CONTEXT_MAX = 512 };

typedef struct Simulation {
    Call *call;
    Identity identity; /* its policies and those of the request */
    Policy *owned[POLICIES_MAX];
    size_t n_owned;
    Policy *resource_policy;
    PolicyKey keys[CONTEXT_MAX];
    size_t n_keys;
} Simulation;

static bool own_policies(Simulation *simulation, const char *member, Error *err)
{
    const Json *list = json_get(simulation->call->in, member);
    for (size_t i = 0; list && i < list->n; i++) {
        Error why = {0};
        if (simulation->n_owned == POLICIES_MAX)
            return call_error_status(simulation->call, err, 400, "InvalidInput",
                                     "More than %d policies", POLICIES_MAX);
        Policy *policy = policy_new(json_at(list, i)->text, POLICY_IDENTITY, POLICY_TEXT_MAX, &why);
        if (!policy)
            return call_error_status(simulation->call, err, 400, "InvalidInput", "%s", why.text);
        simulation->owned[simulation->n_owned++] = policy;
    }
    return true;
}

static void take_context(Simulation *simulation)
{
    const Json *entries = json_get(simulation->call->in, "ContextEntries");
    for (size_t i = 0; entries && i < entries->n; i++) {
        const Json *values = json_get(json_at(entries, i), "ContextKeyValues");
        Str name = json_get_text(json_at(entries, i), "ContextKeyName");
        for (size_t k = 0; values && k < values->n && simulation->n_keys < CONTEXT_MAX; k++)
            simulation->keys[simulation->n_keys++] = (PolicyKey){name, json_at(values, k)->text};
    }
}

static void take_identity(Simulation *simulation, const Identity *identity)
{
    for (size_t i = 0; i < identity->n_keys && simulation->n_keys < CONTEXT_MAX; i++)
        simulation->keys[simulation->n_keys++] = identity->keys[i];
}

static const char *decide(const Simulation *simulation, const PolicyRequest *request)
{
    PolicyEffect by_resource = EFFECT_NONE;
    if (simulation->resource_policy)
        by_resource = policy_evaluate(simulation->resource_policy, request, NULL);
    PolicyEffect effect = by_resource == EFFECT_DENY
                              ? EFFECT_DENY
                              : iam_identity_effect(&simulation->identity, request, by_resource);
    return effect == EFFECT_DENY    ? "explicitDeny"
           : effect == EFFECT_ALLOW ? "allowed"
                                    : "implicitDeny";
}

static bool answer(Simulation *simulation, Str arn, Error *err)
{
    Call *call = simulation->call;
    const Json *actions = json_get(call->in, "ActionNames");
    const Json *resources = json_get(call->in, "ResourceArns");
    IamPage page = iam_page(call);
    int64_t skip = 0, at = 0;
    if (page.after.len && !str_to_int64(page.after, &skip))
        return call_error_status(call, err, 400, "InvalidInput", "Invalid Marker.");
    Json *list = json_new_array(call->arena);
    size_t n_resources = resources && resources->n ? resources->n : 1;
    for (size_t i = 0; i < actions->n; i++) {
        Str action = json_at(actions, i)->text;
        if (str_find(action, ':') == action.len)
            return call_error_status(call, err, 400, "ValidationError", "Invalid Action: %.*s",
                                     STR_ARG(action));
        for (size_t k = 0; k < n_resources; k++, at++) {
            if (at < skip) continue;
            Str resource = resources && resources->n ? json_at(resources, k)->text : STR("*");
            PolicyRequest request = {.action = action,
                                     .resource = resource,
                                     .account = call->caller.account,
                                     .principal = arn,
                                     .keys = simulation->keys,
                                     .n_keys = simulation->n_keys};
            Json *json = json_new_object(call->arena);
            json_set_text(call->arena, json, "EvalActionName", action);
            json_set_text(call->arena, json, "EvalResourceName", resource);
            json_set_text(call->arena, json, "EvalDecision", str_of(decide(simulation, &request)));
            Str next = arena_format(call->arena, "%lld", (long long)at + 1);
            if (!iam_page_add(call, &page, list, json, next)) {
                iam_page_end(call, "EvaluationResults", list);
                return true;
            }
        }
    }
    iam_page_end(call, "EvaluationResults", list);
    return true;
}

static bool run(Simulation *simulation, const Identity *identity, Str arn, Error *err)
{
    Call *call = simulation->call;
    Str text = call_text(call, "ResourcePolicy");
    if (!own_policies(simulation, "PolicyInputList", err)) return false;
    if (text.len) {
        Error why = {0};
        simulation->resource_policy = policy_new(text, POLICY_RESOURCE, POLICY_TEXT_MAX, &why);
        if (!simulation->resource_policy)
            return call_error_status(call, err, 400, "InvalidInput", "%s", why.text);
    }
    const Json *limits = json_get(call->in, "PermissionsBoundaryPolicyInputList");
    Policy *boundary = NULL;
    if (limits && limits->n) {
        boundary = policy_new(json_at(limits, 0)->text, POLICY_IDENTITY, POLICY_TEXT_MAX, NULL);
        if (!boundary)
            return call_error_status(call, err, 400, "InvalidInput", "Syntax errors in policy.");
    }
    take_context(simulation);
    Identity *all = &simulation->identity;
    size_t n = simulation->n_owned + (identity ? identity->n_policies : 0);
    all->type = CALLER_USER;
    all->policies = arena_array(call->arena, Policy *, n + 1);
    for (size_t i = 0; identity && i < identity->n_policies; i++)
        all->policies[all->n_policies++] = identity->policies[i];
    for (size_t i = 0; i < simulation->n_owned; i++)
        all->policies[all->n_policies++] = simulation->owned[i];
    all->boundary = boundary ? boundary : identity ? identity->boundary : NULL;
    if (identity) take_identity(simulation, identity);
    bool ok = answer(simulation, arn, err);
    policy_free(boundary);
    return ok;
}

static void simulation_clear(Simulation *simulation)
{
    for (size_t i = 0; i < simulation->n_owned; i++) policy_free(simulation->owned[i]);
    policy_free(simulation->resource_policy);
}

static bool simulate_principal(Call *call, Error *err)
{
    Str arn = call_text(call, "PolicySourceArn");
    Simulation *simulation = arena_new(call->arena, Simulation);
    simulation->call = call;
    bool group = str_has(arn, STR(":group/"));
    const Identity *identity = str_starts(arn, STR("arn:")) && !group
                                   ? iam_identity(call->server->iam, arn)
                                   : NULL;
    if (!identity)
        return call_error_status(call, err, 404, "NoSuchEntity", "The entity %.*s cannot be found.",
                                 STR_ARG(arn));
    bool ok = run(simulation, identity, arn, err);
    iam_release(call->server->iam);
    simulation_clear(simulation);
    return ok;
}

static bool simulate_custom(Call *call, Error *err)
{
    Simulation *simulation = arena_new(call->arena, Simulation);
    simulation->call = call;
    Str arn = call_text(call, "CallerArn");
    bool ok = run(simulation, NULL, arn.ptr ? arn : STR(""), err);
    simulation_clear(simulation);
    return ok;
}

const ServiceOperation iam_simulate_operations[] = {
    {"SimulatePrincipalPolicy", simulate_principal, .resource = "{PolicySourceArn}"},
    {"SimulateCustomPolicy", simulate_custom, .resource = "*"},
    {0},
};
