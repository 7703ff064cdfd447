/* Endpoints that run: see hosting.h.
 *
 * An endpoint's thread reads the document and does what its state asks for:
 *
 *     Creating          plan from the configuration, fleet, deployment without an old fleet -> InService | Failed
 *     Updating          the same beside the old fleet -> InService (new or, rolled back, old); or weights and counts
 *     Deleting          servers end, row goes
 *
 * and looks again until nothing is to be done.  What it has reached is stored before the old is given up, so the
 * thread may be interrupted anywhere. */

#include "service/sagemaker/hosting.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/cloudwatch/metrics.h"
#include "service/logs/logs.h"
#include "service/sagemaker/deploy.h"

#include <stdio.h>
#include <stdlib.h>

enum { VARIANTS_MAX = 64, DRIVE_STACK = 1 << 20, UPDATE_SECONDS = 3600, ALARM_SECONDS = 1 };

static const Json nothing = {.type = JSON_NULL};

/* ---- routes ---- */

void routes_unref(Routes *routes)
{
    if (!routes || __atomic_sub_fetch(&routes->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    for (size_t i = 0; i < routes->n_endpoints; i++)
        for (int v = 0; v < routes->endpoints[i].n_variants; v++)
            for (int s = 0; s < routes->endpoints[i].variants[v].n_servers; s++)
                model_server_unref(routes->endpoints[i].variants[v].servers[s]);
    arena_clear(&routes->arena);
    free(routes);
}

Routes *hosting_routes(Hosting *hosting)
{
    pthread_mutex_lock(&hosting->mutex);
    Routes *routes = hosting->routes;
    __atomic_add_fetch(&routes->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&hosting->mutex);
    return routes;
}

void hosting_kick_locked(Hosting *hosting)
{
    for (struct Runtime *runtime = hosting->runtimes; runtime; runtime = runtime_next(runtime))
        runtime_poke(runtime);
}

static Str lower_copy(Arena *arena, Str name)
{
    Str copy = arena_str(arena, name);
    for (size_t i = 0; i < copy.len; i++)
        if (copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z') ((char *)(uintptr_t)copy.ptr)[i] += 32;
    return copy;
}

/* A fleet's variants, which share `share` of the endpoint's traffic by their weights. */
static void add_routes(Arena *arena, RouteEndpoint *route, const Fleet *fleet, double share)
{
    double total = 0;
    if (!fleet || share <= 0) return;
    for (size_t i = 0; i < fleet->n_variants; i++) total += fleet->variants[i].weight;
    for (size_t i = 0; i < fleet->n_variants; i++) {
        const FleetVariant *variant = &fleet->variants[i];
        RouteVariant *to = &route->variants[route->n_variants++];
        double part = total > 0 ? variant->weight / total : 1 / (double)fleet->n_variants;
        *to = (RouteVariant){arena_str(arena, variant->name), share * part,
                             arena_array(arena, ModelServer *, variant->n_servers),
                             variant->n_servers, variant->n_containers};
        for (int s = 0; s < variant->n_servers; s++) {
            to->servers[s] = variant->servers[s];
            __atomic_add_fetch(&to->servers[s]->refs, 1, __ATOMIC_RELAXED);
        }
    }
}

void hosting_publish_locked(Hosting *hosting)
{
    Routes *routes = calloc(1, sizeof *routes), *old = hosting->routes;
    if (!routes) memory_exhausted(sizeof *routes);
    Arena *arena = &routes->arena;
    size_t n = 0;
    for (RunningEndpoint *e = hosting->endpoints; e; e = e->next) n++;
    routes->refs = 1;
    routes->version = hosting->version + 1;
    routes->endpoints = arena_array(arena, RouteEndpoint, n);
    for (RunningEndpoint *e = hosting->endpoints; e; e = e->next) {
        RouteEndpoint *route = &routes->endpoints[routes->n_endpoints++];
        size_t most = (e->current ? e->current->n_variants : 0) +
                      (e->coming ? e->coming->n_variants : 0);
        Str name = arena_str(arena, str_of(e->name));
        *route = (RouteEndpoint){arena_str(arena, str_of(e->region)),
                                 name,
                                 lower_copy(arena, name),
                                 endpoint_log_group(arena, name),
                                 arena_array(arena, RouteVariant, most),
                                 0};
        assert(e->share >= 0 && e->share <= 1);
        add_routes(arena, route, e->current, e->coming ? 1 - e->share : 1);
        add_routes(arena, route, e->coming, e->share);
        double sum = 0;
        for (int i = 0; i < route->n_variants; i++) sum += route->variants[i].weight;
        assert(route->n_variants == 0 || (sum > 0.999999 && sum < 1.000001));
        (void)sum;
    }
    hosting->routes = routes;
    __atomic_store_n(&hosting->version, routes->version, __ATOMIC_RELEASE);
    routes_unref(old);
    hosting_kick_locked(hosting);
}

/* ---- fleets ---- */

static void fleet_retire(Fleet *fleet)
{
    if (!fleet) return;
    for (size_t i = 0; i < fleet->n_variants; i++)
        for (int s = 0; s < fleet->variants[i].n_servers; s++)
            model_server_retire(fleet->variants[i].servers[s]);
    arena_clear(&fleet->arena);
    free(fleet);
}

/* Starts servers of a variant until it has `count` instances; the array has room. */
static bool variant_grow(Hosting *hosting, const RunningEndpoint *endpoint, const Fleet *fleet,
                         FleetVariant *variant, int count, Error *err)
{
    const Json *containers = json_get(variant->plan, "Containers");
    while (variant->n_servers < count * variant->n_containers) {
        int place = variant->n_servers % variant->n_containers;
        ModelServerSpec spec = {
            .region = str_of(endpoint->region),
            .endpoint = str_of(endpoint->name),
            .variant = variant->name,
            .fleet = fleet->id,
            .index = variant->n_servers / variant->n_containers,
            .place = place,
            .container = json_at(containers, (size_t)place),
            .startup_seconds = json_get_double(variant->plan, "StartupSeconds",
                                               ENDPOINT_STARTUP_SECONDS),
        };
        ModelServer *server;
        if (!model_server_start(hosting, &spec, &server, err)) return false;
        pthread_mutex_lock(&hosting->mutex);
        variant->servers[variant->n_servers++] = server;
        pthread_mutex_unlock(&hosting->mutex);
    }
    return true;
}

/* Servers of all variants of a plan, which is copied. */
static bool fleet_start(Hosting *hosting, const RunningEndpoint *endpoint, const Json *plan,
                        Fleet **ret_fleet, Error *err)
{
    Fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet) memory_exhausted(sizeof *fleet);
    const Json *copy = json_copy(&fleet->arena, plan), *variants = json_get(copy, "Variants");
    snprintf(fleet->id, sizeof fleet->id, "%.*s", STR_ARG(json_get_text(copy, "Id")));
    fleet->n_variants = variants->n;
    fleet->variants = arena_array(&fleet->arena, FleetVariant, variants->n);
    bool ok = true;
    for (size_t i = 0; ok && i < variants->n; i++) {
        FleetVariant *variant = &fleet->variants[i];
        variant->plan = json_at(variants, i);
        variant->name = json_get_text(variant->plan, "VariantName");
        variant->weight = json_get_double(variant->plan, "Weight", 1);
        variant->n_containers = (int)json_get(variant->plan, "Containers")->n;
        variant->servers = arena_array(&fleet->arena, ModelServer *,
                                       ENDPOINT_INSTANCES_MAX * variant->n_containers);
        ok = variant_grow(hosting, endpoint, fleet, variant,
                          (int)json_get_int(variant->plan, "Count", 1), err);
    }
    if (ok)
        *ret_fleet = fleet;
    else
        fleet_retire(fleet);
    return ok;
}

/* Under the mutex: is every server healthy; why it cannot become so, or which died (deaths_count), else NULL. */
static bool fleet_health(const Fleet *fleet, bool deaths_count, char why[static 512])
{
    bool ready = true;
    why[0] = 0;
    for (size_t i = 0; i < fleet->n_variants; i++)
        for (int s = 0; s < fleet->variants[i].n_servers; s++) {
            ServerHealth health;
            model_server_health(fleet->variants[i].servers[s], &health);
            ready &= health.healthy;
            if (health.failed || (deaths_count && health.ever_healthy && health.deaths))
                memcpy(why, health.why, sizeof health.why);
        }
    return ready;
}

/* ---- plans ---- */

static const Json *plan_variant(const Json *plan, Str name)
{
    const Json *variants = json_get(plan, "Variants");
    for (size_t i = 0; variants && i < variants->n; i++)
        if (str_eq(json_get_text(json_at(variants, i), "VariantName"), name))
            return json_at(variants, i);
    return NULL;
}

static bool excluded(const Json *pending, const char *property)
{
    const Json *list = json_get(pending, "ExcludeRetainedVariantProperties");
    for (size_t i = 0; list && i < list->n; i++)
        if (str_is(json_get_text(json_at(list, i), "VariantPropertyType"), property)) return true;
    return false;
}

static bool plan_container(Server *server, const Resource *model, const Json *container, double now,
                           Arena *arena, Json *containers, Json *images, Error *err)
{
    Json *plan, *image = json_new_object(arena);
    Str uri = json_get_text(container, "Image");
    if (!model_prepare(server, container, arena, &plan, err)) return false;
    if (!str_is(json_get_text(plan, "Kind"), "built-in") &&
        json_get_bool(model->document, "EnableNetworkIsolation", false))
        return error_set(
            err, ERROR_UNSUPPORTED,
            "Model \"%.*s\" asks for EnableNetworkIsolation, which clary cannot give a "
            "program that listens on a port",
            STR_ARG(model->name));
    json_push(arena, containers, plan);
    json_set_text(arena, image, "SpecifiedImage", uri);
    json_set_text(arena, image, "ResolvedImage", uri);
    json_set_double(arena, image, "ResolutionTime", now);
    json_push(arena, images, image);
    return true;
}

static bool plan_model(Server *server, Str region, Str name, double now, Arena *arena, Json *plan,
                       Error *err)
{
    Resource model;
    if (!resource_load(server, &model_kind, region, name, arena, &model, err)) return false;
    if (!model.document)
        return error_set(err, ERROR_NOT_FOUND, "Could not find model \"%s\".",
                         resource_arn(server, &model_kind, region, name, arena).ptr);
    const Json *primary = json_get(model.document, "PrimaryContainer"),
               *list = json_get(model.document, "Containers");
    Json *containers = json_new_array(arena), *images = json_new_array(arena);
    bool ok = !primary ||
              plan_container(server, &model, primary, now, arena, containers, images, err);
    for (size_t i = 0; ok && list && i < list->n; i++)
        ok = plan_container(server, &model, json_at(list, i), now, arena, containers, images, err);
    json_set(arena, plan, "Containers", containers);
    json_set(arena, plan, "Images", images);
    return ok;
}

/* From a configuration, and the plan that serves now (or NULL), what shall serve. */
static bool make_plan(Server *server, Str region, Str config_name, const Json *old,
                      const Json *pending, Arena *arena, Json **ret_plan, Error *err)
{
    Resource config;
    double now = clock_wall();
    if (!resource_load(server, &endpoint_config_kind, region, config_name, arena, &config, err))
        return false;
    if (!config.document)
        return error_set(
            err, ERROR_NOT_FOUND, "Could not find endpoint configuration \"%s\".",
            resource_arn(server, &endpoint_config_kind, region, config_name, arena).ptr);
    bool retain = json_get_bool(pending, "RetainAllVariantProperties", false);
    const Json *from = json_get(config.document, "ProductionVariants");
    Json *plan = json_new_object(arena), *variants = json_new_array(arena);
    Str id = call_new_id(arena);
    json_set_text(arena, plan, "Id", str_slice(id, 0, 8));
    json_set_text(arena, plan, "EndpointConfigName", config.name);
    json_set(arena, plan, "DataCaptureConfig",
             retain && !excluded(pending, "DataCaptureConfig") && old
                 ? json_get(old, "DataCaptureConfig")
                 : json_get(config.document, "DataCaptureConfig"));
    for (size_t i = 0; i < from->n; i++) {
        const Json *variant = json_at(from, i);
        Str name = json_get_text(variant, "VariantName");
        const Json *kept = retain ? plan_variant(old, name) : NULL;
        double weight = json_get_double(variant, "InitialVariantWeight", 1);
        int64_t count = json_get_int(variant, "InitialInstanceCount", 1);
        if (kept && !excluded(pending, "DesiredWeight"))
            weight = json_get_double(kept, "Weight", weight);
        if (kept && !excluded(pending, "DesiredInstanceCount"))
            count = json_get_int(kept, "Count", count);
        Json *line = json_new_object(arena);
        json_set_text(arena, line, "VariantName", name);
        json_set_text(arena, line, "ModelName", json_get_text(variant, "ModelName"));
        json_set_double(arena, line, "Weight", weight);
        json_set_int(arena, line, "Count", count);
        json_set(arena, line, "ServerlessConfig", json_get(variant, "ServerlessConfig"));
        json_set(arena, line, "StartupSeconds",
                 json_get(variant, "ContainerStartupHealthCheckTimeoutInSeconds"));
        if (!plan_model(server, region, json_get_text(variant, "ModelName"), now, arena, line, err))
            return false;
        json_push(arena, variants, line);
    }
    json_set(arena, plan, "Variants", variants);
    *ret_plan = plan;
    return true;
}

/* A share of the traffic from {"Type", "Value"}. */
static double capacity_share(const Json *size, int64_t servers)
{
    double value = json_get_double(size, "Value", 100);
    bool count = str_is(json_get_text(size, "Type"), "INSTANCE_COUNT");
    double share = count ? value / (double)MAX(servers, 1) : value / 100;
    return share > 0 && share < 1 ? share : 1;
}

static DeploySettings deploy_settings(const Json *config, const Json *plan)
{
    DeploySettings settings = {DEPLOY_ALL_AT_ONCE, 1, 0, 0, UPDATE_SECONDS};
    const Json *blue = json_get(config, "BlueGreenUpdatePolicy"),
               *rolling = json_get(config, "RollingUpdatePolicy"),
               *traffic = json_get(blue, "TrafficRoutingConfiguration"),
               *variants = json_get(plan, "Variants");
    int64_t servers = 0;
    for (size_t i = 0; i < variants->n; i++)
        servers += json_get_int(json_at(variants, i), "Count", 1);
    Str type = json_get_text(traffic, "Type");
    if (rolling) { /* batches of servers are steps of traffic */
        settings.mode = DEPLOY_LINEAR;
        settings.step = capacity_share(json_get(rolling, "MaximumBatchSize"), servers);
        settings.wait = json_get_double(rolling, "WaitIntervalInSeconds", 0);
        settings.timeout = json_get_double(rolling, "MaximumExecutionTimeoutInSeconds",
                                           UPDATE_SECONDS);
    }
    if (blue) {
        bool linear = str_is(type, "LINEAR"), canary = str_is(type, "CANARY");
        settings.mode = linear ? DEPLOY_LINEAR : canary ? DEPLOY_CANARY : DEPLOY_ALL_AT_ONCE;
        if (linear) settings.step = capacity_share(json_get(traffic, "LinearStepSize"), servers);
        if (canary) settings.step = capacity_share(json_get(traffic, "CanarySize"), servers);
        settings.wait = json_get_double(traffic, "WaitIntervalInSeconds", 0);
        settings.termination_wait = json_get_double(blue, "TerminationWaitInSeconds", 0);
        settings.timeout = json_get_double(blue, "MaximumExecutionTimeoutInSeconds",
                                           UPDATE_SECONDS);
    }
    return settings;
}

/* ---- waiting ---- */

static void wait_until(Hosting *hosting, double at)
{
    double soon = MIN(at, clock_seconds() + 3600);
    struct timespec time = {(time_t)soon, (long)((soon - (double)(time_t)soon) * 1e9)};
    pthread_cond_timedwait(&hosting->changed, &hosting->mutex, &time);
}

/* The name of a firing alarm among those of the configuration, or NULL. */
static const char *alarm_firing(Server *server, Str region, const Json *config, Arena *arena)
{
    const Json *alarms = json_path(config, "AutoRollbackConfiguration.Alarms");
    for (size_t i = 0; alarms && i < alarms->n; i++) {
        Str name = json_get_text(json_at(alarms, i), "AlarmName");
        char state[24];
        Error ignored = {0};
        if (alarm_state(server, region, name, state, &ignored) && strcmp(state, "ALARM") == 0)
            return arena_cstr(arena, name);
    }
    return NULL;
}

/* ---- a deployment ---- */

/* Takes traffic over to `coming` as the machine says; false when it was cancelled or claryd stops. */
static bool deploy(Hosting *hosting, RunningEndpoint *endpoint, const Json *config, Arena *arena,
                   Deployment *deployment)
{
    bool alarms = json_path(config, "AutoRollbackConfiguration.Alarms") && deployment->has_old;
    Str region = str_of(endpoint->region);
    char why[512];
    for (;;) {
        DeployInput input = {.alarm = alarms ? alarm_firing(hosting->server, region, config, arena)
                                             : NULL};
        pthread_mutex_lock(&hosting->mutex);
        input.now = clock_seconds();
        input.ready = fleet_health(endpoint->coming, deployment->has_old, why);
        if (why[0]) input.failed = why;
        if (endpoint->cancel || hosting->closing) {
            pthread_mutex_unlock(&hosting->mutex);
            return false;
        }
        if (deploy_step(deployment, &input) && deployment->share != endpoint->share) {
            endpoint->share = deployment->share;
            hosting_publish_locked(hosting);
        }
        if (!deploy_ended(deployment)) {
            double next = deploy_next(deployment);
            if (alarms) next = MIN(next, input.now + ALARM_SECONDS);
            wait_until(hosting, next);
        }
        pthread_mutex_unlock(&hosting->mutex);
        if (deploy_ended(deployment)) return true;
    }
}

typedef struct Outcome {
    Arena *arena;
    const char *state, *reason;
    const Json *plan, *deployment_config;
} Outcome;

/* Nothing but Deleting may have come between. */
static bool store_outcome(void *arg, Resource *endpoint, Error *err)
{
    Outcome *outcome = arg;
    Json *document = endpoint->document;
    (void)err;
    if (!str_is(endpoint->state, "Deleting")) endpoint->state = str_of(outcome->state);
    json_set(outcome->arena, document, "Pending", &nothing);
    json_set(outcome->arena, document, "Desired", &nothing);
    json_set(outcome->arena, document, "PendingDeploymentSummary", &nothing);
    if (outcome->plan) {
        json_set(outcome->arena, document, "Fleet", outcome->plan);
        json_set(outcome->arena, document, "EndpointConfigName",
                 json_get(outcome->plan, "EndpointConfigName"));
    }
    if (outcome->deployment_config)
        json_set(outcome->arena, document, "LastDeploymentConfig", outcome->deployment_config);
    if (outcome->reason)
        json_set_text(outcome->arena, document, "FailureReason", str_of(outcome->reason));
    else
        json_set(outcome->arena, document, "FailureReason", &nothing);
    return true;
}

static void conclude(RunningEndpoint *endpoint, Outcome *outcome)
{
    Error err = {0};
    if (!resource_change(endpoint->server, &endpoint_kind, str_of(endpoint->region),
                         str_of(endpoint->name), store_outcome, outcome, &err) &&
        err.kind != ERROR_NOT_FOUND)
        log_error("endpoint %s: %s", endpoint->name, err.text);
}

static bool is_closing(Hosting *hosting)
{
    return __atomic_load_n(&hosting->closing, __ATOMIC_ACQUIRE);
}

/* Plan and servers of what comes; under endpoint->coming on success. */
static bool prepare(Hosting *hosting, RunningEndpoint *endpoint, const Resource *resource,
                    Arena *arena, Json **ret_plan, Error *err)
{
    const Json *document = resource->document, *pending = json_get(document, "Pending"),
               *old = json_get(document, "Fleet");
    bool update = pending && pending->type == JSON_OBJECT;
    Str config = json_get_text(update ? pending : document, "EndpointConfigName");
    Fleet *fleet;
    pthread_mutex_lock(&hosting->mutex);
    hosting->preparing++;
    pthread_mutex_unlock(&hosting->mutex);
    bool ok = make_plan(hosting->server, resource->region, config,
                        old && old->type == JSON_OBJECT ? old : NULL, update ? pending : NULL,
                        arena, ret_plan, err) &&
              fleet_start(hosting, endpoint, *ret_plan, &fleet, err);
    pthread_mutex_lock(&hosting->mutex);
    hosting->preparing--;
    if (ok) {
        endpoint->coming = fleet;
        endpoint->share = 0;
    }
    pthread_mutex_unlock(&hosting->mutex);
    return ok;
}

static void run_deployment(Hosting *hosting, RunningEndpoint *endpoint, const Resource *resource)
{
    ARENA(arena);
    Error err = {0};
    const Json *pending = json_get(resource->document, "Pending");
    bool update = pending && pending->type == JSON_OBJECT;
    const Json *config = json_get(update ? pending : resource->document, "DeploymentConfig");
    Json *plan = NULL;
    Outcome outcome = {.arena = &arena, .state = "InService", .deployment_config = config};
    if (!prepare(hosting, endpoint, resource, &arena, &plan, &err)) {
        if (is_closing(hosting)) return;
        outcome.state = endpoint->current ? "InService" : "Failed";
        outcome.reason = err.text;
        conclude(endpoint, &outcome);
        return;
    }
    Deployment deployment;
    DeploySettings settings = deploy_settings(config, plan);
    deploy_start(&deployment, &settings, endpoint->current != NULL, clock_seconds());
    bool ended = deploy(hosting, endpoint, config, &arena, &deployment);
    if (is_closing(hosting)) return;
    bool good = ended && deployment.state == DEPLOY_DONE;
    if (ended && deployment.state == DEPLOY_ROLLED_BACK)
        resource_set(hosting->server, &endpoint_kind, resource->region, resource->name,
                     "RollingBack", NULL, &err);
    if (good) outcome.plan = plan;
    if (!good) {
        outcome.state = endpoint->current ? "InService" : "Failed";
        outcome.reason = ended ? deployment.reason : "The deployment was cancelled";
    }
    pthread_mutex_lock(&hosting->mutex);
    Fleet *gone = good ? endpoint->current : endpoint->coming;
    if (good) endpoint->current = endpoint->coming;
    endpoint->coming = NULL;
    endpoint->share = 0;
    hosting_publish_locked(hosting);
    pthread_mutex_unlock(&hosting->mutex);
    conclude(endpoint, &outcome);
    fleet_retire(gone);
    models_sweep(hosting);
}

/* ---- weights and counts ---- */

/* The plan with the wishes in it. */
static Json *plan_with(Arena *arena, const Json *plan, const Json *desired)
{
    Json *copy = json_copy(arena, plan);
    for (size_t i = 0; i < desired->n; i++) {
        const Json *wish = json_at(desired, i);
        Json *line = (Json *)(uintptr_t)plan_variant(copy, json_get_text(wish, "VariantName"));
        if (!line) continue;
        if (json_get(wish, "DesiredWeight"))
            json_set(arena, line, "Weight", json_get(wish, "DesiredWeight"));
        if (json_get(wish, "DesiredInstanceCount"))
            json_set(arena, line, "Count", json_get(wish, "DesiredInstanceCount"));
    }
    return copy;
}

/* Waits for servers that were added; false: why they failed, or empty when it was cancelled. */
static bool wait_healthy(Hosting *hosting, RunningEndpoint *endpoint, char why[static 512])
{
    bool ready = false;
    pthread_mutex_lock(&hosting->mutex);
    why[0] = 0;
    while (!endpoint->cancel && !hosting->closing &&
           !(ready = fleet_health(endpoint->current, false, why)) && !why[0])
        wait_until(hosting, clock_seconds() + 1);
    pthread_mutex_unlock(&hosting->mutex);
    return ready;
}

static void run_weights(Hosting *hosting, RunningEndpoint *endpoint, const Resource *resource)
{
    ARENA(arena);
    Error err = {0};
    char why[512] = "";
    Fleet *fleet = endpoint->current;
    const Json *old = json_get(resource->document, "Fleet");
    Json *plan = plan_with(&arena, old, json_get(resource->document, "Desired"));
    Outcome outcome = {.arena = &arena, .state = "InService", .plan = plan};
    bool ok = fleet != NULL;
    int before[VARIANTS_MAX] = {0};
    for (size_t i = 0; ok && i < fleet->n_variants && i < COUNT(before); i++) {
        FleetVariant *variant = &fleet->variants[i];
        const Json *line = plan_variant(plan, variant->name);
        before[i] = variant->n_servers;
        ok = variant_grow(hosting, endpoint, fleet, variant, (int)json_get_int(line, "Count", 1),
                          &err);
    }
    if (ok && !wait_healthy(hosting, endpoint, why)) {
        ok = false;
        error_set(&err, ERROR_INVALID, "%s", why);
    }
    if (is_closing(hosting)) return;
    ModelServer *gone[ENDPOINT_INSTANCES_MAX * MODEL_CONTAINERS_MAX];
    for (size_t i = 0; fleet && i < fleet->n_variants && i < COUNT(before); i++) {
        FleetVariant *variant = &fleet->variants[i];
        const Json *line = plan_variant(ok ? plan : old, variant->name);
        int wanted = (int)json_get_int(line, "Count", 1) * variant->n_containers;
        int count = ok ? wanted : before[i], n_gone = 0;
        pthread_mutex_lock(&hosting->mutex);
        variant->weight = json_get_double(line, "Weight", variant->weight);
        while (variant->n_servers > count) gone[n_gone++] = variant->servers[--variant->n_servers];
        if (i + 1 == fleet->n_variants || n_gone) hosting_publish_locked(hosting);
        pthread_mutex_unlock(&hosting->mutex);
        while (n_gone) model_server_retire(gone[--n_gone]);
    }
    if (!ok) {
        outcome.plan = NULL;
        outcome.reason = err.text;
    }
    conclude(endpoint, &outcome);
}

/* ---- the end ---- */

static void run_delete(Hosting *hosting, RunningEndpoint *endpoint)
{
    Error err = {0};
    pthread_mutex_lock(&hosting->mutex);
    Fleet *current = endpoint->current, *coming = endpoint->coming;
    endpoint->current = endpoint->coming = NULL;
    for (RunningEndpoint **at = &hosting->endpoints; *at; at = &(*at)->next)
        if (*at == endpoint) {
            *at = endpoint->next;
            break;
        }
    hosting_publish_locked(hosting);
    pthread_mutex_unlock(&hosting->mutex);
    if (!resource_delete(hosting->server, &endpoint_kind, str_of(endpoint->region),
                         str_of(endpoint->name), &err) &&
        err.kind != ERROR_NOT_FOUND)
        log_error("deleting endpoint %s: %s", endpoint->name, err.text);
    fleet_retire(current);
    fleet_retire(coming);
    models_sweep(hosting);
    free(endpoint->region);
    free(endpoint->name);
    free(endpoint);
}

/* One look at the document; false when the endpoint is gone. */
static bool take_further(Hosting *hosting, RunningEndpoint *endpoint)
{
    ARENA(arena);
    Error err = {0};
    Resource resource;
    if (!resource_load(hosting->server, &endpoint_kind, str_of(endpoint->region),
                       str_of(endpoint->name), &arena, &resource, &err)) {
        log_error("endpoint %s: %s", endpoint->name, err.text);
        return true;
    }
    if (!resource.document || str_is(resource.state, "Deleting")) {
        run_delete(hosting, endpoint);
        return false;
    }
    pthread_mutex_lock(&hosting->mutex);
    endpoint->cancel = false;
    pthread_mutex_unlock(&hosting->mutex);
    const Json *desired = json_get(resource.document, "Desired");
    if (str_is(resource.state, "Creating") || str_is(resource.state, "Updating") ||
        str_is(resource.state, "RollingBack")) {
        if (desired && desired->type == JSON_ARRAY)
            run_weights(hosting, endpoint, &resource);
        else
            run_deployment(hosting, endpoint, &resource);
    }
    return true;
}

static void *drive(void *arg)
{
    RunningEndpoint *endpoint = arg;
    Hosting *hosting = endpoint->server->hosting;
    for (bool there = true; there;) {
        there = take_further(hosting, endpoint);
        pthread_mutex_lock(&hosting->mutex);
        bool end = !there || !endpoint->again || hosting->closing;
        if (there) {
            endpoint->again = false;
            if (end) endpoint->busy = false;
        }
        if (end) {
            hosting->n_threads--;
            pthread_cond_broadcast(&hosting->changed);
        }
        pthread_mutex_unlock(&hosting->mutex);
        if (end) break;
    }
    return NULL;
}

/* ---- outside ---- */

static RunningEndpoint *find(Hosting *hosting, Str region, Str name)
{
    for (RunningEndpoint *e = hosting->endpoints; e; e = e->next)
        if (str_is(region, e->region) && str_eq_nocase(name, str_of(e->name))) return e;
    return NULL;
}

static char *copy_text(Str text)
{
    char *copy = strndup(text.ptr, text.len);
    if (!copy) memory_exhausted(text.len);
    return copy;
}

/* Under the mutex. */
static RunningEndpoint *add(Hosting *hosting, Str region, Str name)
{
    RunningEndpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint) memory_exhausted(sizeof *endpoint);
    *endpoint = (RunningEndpoint){.server = hosting->server,
                                  .region = copy_text(region),
                                  .name = copy_text(name),
                                  .next = hosting->endpoints};
    hosting->endpoints = endpoint;
    return endpoint;
}

void hosting_look(Server *server, Str region, Str name)
{
    Hosting *hosting = server->hosting;
    pthread_mutex_lock(&hosting->mutex);
    RunningEndpoint *endpoint = find(hosting, region, name);
    if (!endpoint) endpoint = add(hosting, region, name);
    if (endpoint->busy) {
        endpoint->again = true;
    } else if (!hosting->closing) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, DRIVE_STACK);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        endpoint->busy = pthread_create(&thread, &attributes, drive, endpoint) == 0;
        if (endpoint->busy)
            hosting->n_threads++;
        else
            log_error("endpoint %s: no thread could be started", endpoint->name);
        pthread_attr_destroy(&attributes);
    }
    pthread_mutex_unlock(&hosting->mutex);
}

void hosting_cancel(Server *server, Str region, Str name)
{
    Hosting *hosting = server->hosting;
    pthread_mutex_lock(&hosting->mutex);
    RunningEndpoint *endpoint = find(hosting, region, name);
    if (endpoint) endpoint->cancel = true;
    pthread_cond_broadcast(&hosting->changed);
    pthread_mutex_unlock(&hosting->mutex);
}

/* An endpoint of before: what served serves again, and what was under way goes on. */
static bool come_back(void *arg, const Resource *resource, Error *err)
{
    Hosting *hosting = arg;
    const Json *plan = json_get(resource->document, "Fleet");
    bool deleting = str_is(resource->state, "Deleting");
    if (str_is(resource->state, "Failed")) return true;
    pthread_mutex_lock(&hosting->mutex);
    RunningEndpoint *endpoint = add(hosting, resource->region, resource->name);
    pthread_mutex_unlock(&hosting->mutex);
    if (!deleting && plan && plan->type == JSON_OBJECT) {
        Fleet *fleet;
        if (!fleet_start(hosting, endpoint, plan, &fleet, err)) return false;
        pthread_mutex_lock(&hosting->mutex);
        endpoint->current = fleet;
        hosting_publish_locked(hosting);
        pthread_mutex_unlock(&hosting->mutex);
    }
    return true;
}

/* Processes of fleets that were given up, or were not finished, when claryd ended. */
static void stop_strangers(Hosting *hosting)
{
    ARENA(arena);
    Error err = {0};
    Str *names;
    size_t n;
    if (!keeper_children(hosting->server->keeper, &arena, &names, &n, &err)) return;
    for (size_t i = 0; i < n; i++) {
        /* endpoint/REGION/NAME/FLEET/VARIANT/INSTANCE/CONTAINER */
        Str rest = names[i], kind, region, name, fleet;
        if (!str_next(&rest, '/', &kind) || !str_is(kind, "endpoint") ||
            !str_next(&rest, '/', &region) || !str_next(&rest, '/', &name) ||
            !str_next(&rest, '/', &fleet))
            continue;
        pthread_mutex_lock(&hosting->mutex);
        RunningEndpoint *endpoint = find(hosting, region, name);
        bool ours = endpoint && ((endpoint->current && str_is(fleet, endpoint->current->id)) ||
                                 (endpoint->coming && str_is(fleet, endpoint->coming->id)));
        pthread_mutex_unlock(&hosting->mutex);
        const char *process = arena_cstr(&arena, names[i]);
        ProcessExit end;
        if (!ours && keeper_stop(hosting->server->keeper, process, 0, &err))
            keeper_wait(hosting->server->keeper, process, &end, &err);
    }
}

/* The list changes while threads work. */
static void look_at_all(Hosting *hosting)
{
    ARENA(arena);
    size_t n = 0, i = 0;
    for (RunningEndpoint *e = hosting->endpoints; e; e = e->next) n++;
    Str *names = arena_array(&arena, Str, 2 * n);
    for (RunningEndpoint *e = hosting->endpoints; e; e = e->next) {
        names[i++] = arena_str(&arena, str_of(e->region));
        names[i++] = arena_str(&arena, str_of(e->name));
    }
    for (i = 0; i < n; i++) hosting_look(hosting->server, names[2 * i], names[2 * i + 1]);
}

bool hosting_open(Server *server, Error *err)
{
    Hosting *hosting = calloc(1, sizeof *hosting);
    if (!hosting) memory_exhausted(sizeof *hosting);
    ARENA(arena);
    hosting->server = server;
    hosting->home = copy_text(str_of(path_join(&arena, server->options->home, "endpoints")));
    pthread_mutex_init(&hosting->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&hosting->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    server->hosting = hosting;
    pthread_mutex_lock(&hosting->mutex);
    hosting_publish_locked(hosting);
    pthread_mutex_unlock(&hosting->mutex);
    if (!folder_make(hosting->home, err) ||
        !resource_each(server, &endpoint_kind, NULL, come_back, hosting, err)) {
        hosting_close(server);
        return error_in(err, "starting endpoints");
    }
    stop_strangers(hosting); /* before anything new is started */
    look_at_all(hosting);
    return true;
}

/* Ends all servers; documents stay. */
static void end_all(Hosting *hosting)
{
    pthread_mutex_lock(&hosting->mutex);
    __atomic_store_n(&hosting->closing, true, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&hosting->changed);
    for (;;) {
        bool busy = false;
        for (RunningEndpoint *e = hosting->endpoints; e; e = e->next) busy |= e->busy;
        if (!busy) break;
        wait_until(hosting, clock_seconds() + 1);
    }
    RunningEndpoint *endpoints = hosting->endpoints;
    hosting->endpoints = NULL;
    hosting_publish_locked(hosting);
    pthread_mutex_unlock(&hosting->mutex);
    while (endpoints) {
        RunningEndpoint *endpoint = endpoints;
        endpoints = endpoint->next;
        fleet_retire(endpoint->current);
        fleet_retire(endpoint->coming);
        free(endpoint->region);
        free(endpoint->name);
        free(endpoint);
    }
    pthread_mutex_lock(&hosting->mutex);
    while (hosting->n_threads > 0) wait_until(hosting, clock_seconds() + 1);
    pthread_mutex_unlock(&hosting->mutex);
}

void hosting_close(Server *server)
{
    Hosting *hosting = server->hosting;
    if (!hosting) return;
    end_all(hosting);
    routes_unref(hosting->routes);
    pthread_cond_destroy(&hosting->changed);
    pthread_mutex_destroy(&hosting->mutex);
    free((char *)(uintptr_t)hosting->home);
    free(hosting);
    server->hosting = NULL;
}

bool hosting_reset(Server *server, Error *err)
{
    Hosting *hosting = server->hosting;
    (void)err;
    end_all(hosting);
    __atomic_store_n(&hosting->closing, false, __ATOMIC_RELEASE);
    models_sweep(hosting);
    return true;
}
