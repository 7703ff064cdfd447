/* The state machine of a deployment; see deploy.h. */

#include "service/sagemaker/deploy.h"

#include <stdio.h>

#define BACKOFF_FIRST 0.1
#define BACKOFF_LAST 30.0
#define FOREVER 1e300

void deploy_start(Deployment *deployment, const DeploySettings *settings, bool has_old, double now)
{
    *deployment = (Deployment){.settings = *settings, .has_old = has_old, .started = now};
    assert(settings->step > 0 && settings->step <= 1);
}

static bool give_up(Deployment *deployment, const char *why, const char *what, const char *then)
{
    /* Without an old fleet there is nowhere to send traffic back to. */
    deployment->state = deployment->has_old ? DEPLOY_ROLLED_BACK : DEPLOY_FAILED;
    deployment->share = 0;
    snprintf(deployment->reason, sizeof deployment->reason, "%s%s%s", why, what, then);
    return true;
}

/* One transition, if one is due. */
static bool advance(Deployment *d, const DeployInput *input)
{
    if (deploy_ended(d)) return false;
    if (d->state != DEPLOY_KEEPING) {
        if (input->failed) return give_up(d, "", input->failed, "");
        if (input->alarm && d->has_old)
            return give_up(d, "Alarm ", input->alarm, " fired during the deployment");
        if (input->now - d->started >= d->settings.timeout)
            return give_up(d, "The deployment took longer than its maximum execution time", "", "");
    }
    double waited = input->now - d->moved;
    switch (d->state) {
    case DEPLOY_STARTING:
        if (!input->ready) return false;
        d->moved = input->now;
        if (!d->has_old) {
            d->share = 1;
            d->state = DEPLOY_DONE;
            return true;
        }
        d->share = d->settings.mode == DEPLOY_ALL_AT_ONCE ? 1 : d->settings.step;
        d->state = d->share < 1 ? DEPLOY_SHIFTING : DEPLOY_BAKING;
        return true;
    case DEPLOY_SHIFTING:
        if (waited < d->settings.wait) return false;
        d->moved = input->now;
        d->share = d->settings.mode == DEPLOY_LINEAR ? d->share + d->settings.step : 1;
        if (d->share > 1 - 1e-9) d->share = 1; /* steps that do not add up exactly */
        if (d->share >= 1) d->state = DEPLOY_BAKING;
        return true;
    case DEPLOY_BAKING:
        if (waited < d->settings.wait) return false;
        d->moved = input->now;
        d->state = DEPLOY_KEEPING;
        return true;
    case DEPLOY_KEEPING:
        if (waited < d->settings.termination_wait) return false;
        d->state = DEPLOY_DONE;
        return true;
    case DEPLOY_DONE:
    case DEPLOY_ROLLED_BACK:
    case DEPLOY_FAILED: break;
    }
    return false;
}

bool deploy_step(Deployment *deployment, const DeployInput *input)
{
    bool changed = false;
    while (advance(deployment, input)) changed = true;
    assert(deployment->share >= 0 && deployment->share <= 1);
    assert(deployment->has_old || deployment->share == 0 || deployment->share == 1);
    return changed;
}

double deploy_next(const Deployment *deployment)
{
    double limit = deployment->started + deployment->settings.timeout;
    switch (deployment->state) {
    case DEPLOY_STARTING: return limit;
    case DEPLOY_SHIFTING:
    case DEPLOY_BAKING: return MIN(limit, deployment->moved + deployment->settings.wait);
    case DEPLOY_KEEPING: return deployment->moved + deployment->settings.termination_wait;
    case DEPLOY_DONE:
    case DEPLOY_ROLLED_BACK:
    case DEPLOY_FAILED: break;
    }
    return FOREVER;
}

double deploy_backoff(int deaths, double random)
{
    double seconds = BACKOFF_FIRST;
    for (int i = 1; i < deaths && seconds < BACKOFF_LAST; i++) seconds *= 2;
    return MIN(seconds, BACKOFF_LAST) * (0.8 + 0.4 * random);
}
