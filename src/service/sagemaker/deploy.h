#ifndef CLARY_SERVICE_SAGEMAKER_DEPLOY_H
#define CLARY_SERVICE_SAGEMAKER_DEPLOY_H

/* A deployment of an endpoint: a new fleet of model servers beside the old one, traffic that moves over, and the way
 * back (rule E3).  A state machine without clock, threads or processes: it is told what is, and says what
 * should be.
 *
 *     STARTING --ready--> SHIFTING --all over--> BAKING --> KEEPING --> DONE
 *         \________________\___________________________failure or alarm: ROLLED_BACK, or FAILED without an old fleet
 *
 * Invariants: `share` is in [0, 1] and is the new fleet's part of the traffic; the old fleet is needed, complete,
 * until `deploy_keeps_old` is false; a terminal state is never left and has a reason unless it is DONE. */

#include "base/base.h"

typedef enum DeployMode { DEPLOY_ALL_AT_ONCE, DEPLOY_CANARY, DEPLOY_LINEAR } DeployMode;

typedef enum DeployState {
    DEPLOY_STARTING, /* the new fleet is not healthy yet */
    DEPLOY_SHIFTING, /* part of the traffic is over */
    DEPLOY_BAKING,   /* all is over; alarms are watched */
    DEPLOY_KEEPING,  /* the old fleet idles a while longer */
    DEPLOY_DONE,
    DEPLOY_ROLLED_BACK,
    DEPLOY_FAILED,
} DeployState;

typedef struct DeploySettings {
    DeployMode mode;
    double step;             /* of canary and linear: share that moves at once, (0, 1] */
    double wait;             /* seconds between shifts, and of the bake */
    double termination_wait; /* seconds that the old fleet is kept after the bake */
    double timeout;          /* seconds from start to the end of the bake */
} DeploySettings;

typedef struct DeployInput {
    double now; /* monotonic seconds */
    bool ready; /* every server of the new fleet is healthy */
    const char *
        failed; /* the new fleet cannot become healthy, or one of its servers died: why; else NULL */
    const char *alarm; /* name of an alarm that fires, or NULL */
} DeployInput;

typedef struct Deployment {
    DeploySettings settings;
    DeployState state;
    bool has_old;
    double share;
    double started, moved; /* when it began; when traffic last moved */
    char reason[1024];
} Deployment;

void deploy_start(Deployment *deployment, const DeploySettings *settings, bool has_old, double now);
/* Goes as far as it can; true when state or share changed. */
bool deploy_step(Deployment *deployment, const DeployInput *input);
/* When it should be looked at again, if nothing else happens. */
double deploy_next(const Deployment *deployment);

static inline bool deploy_ended(const Deployment *deployment)
{
    return deployment->state >= DEPLOY_DONE;
}

static inline bool deploy_keeps_old(const Deployment *deployment)
{
    return deployment->has_old && deployment->state != DEPLOY_DONE;
}

/* Seconds before a dead server is started again: 100 ms doubling to 30 s, +-20 % by `random` in [0, 1) (rule E1). */
double deploy_backoff(int deaths, double random);

#endif
