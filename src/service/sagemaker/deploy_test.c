#include "service/sagemaker/deploy.h"

#include "base/random.h"
#include "base/test.h"

TEST(deploy, all_at_once_without_waiting_is_one_step)
{
    DeploySettings settings = {DEPLOY_ALL_AT_ONCE, 1, 0, 0, 600};
    Deployment d;
    deploy_start(&d, &settings, true, 100);
    CHECK(!deploy_step(&d, &(DeployInput){.now = 101}));
    CHECK_INT(d.state, DEPLOY_STARTING);
    CHECK(deploy_step(&d, &(DeployInput){.now = 102, .ready = true}));
    CHECK_INT(d.state, DEPLOY_DONE);
    CHECK_NEAR(d.share, 1, 0);
}

TEST(deploy, linear_moves_step_by_step_and_an_alarm_takes_all_back)
{
    DeploySettings settings = {DEPLOY_LINEAR, 0.3, 60, 30, 3600};
    Deployment d;
    deploy_start(&d, &settings, true, 0);
    static const double shares[] = {0.3, 0.6, 0.9, 1};
    for (size_t i = 0; i < COUNT(shares); i++) {
        CHECK(deploy_step(&d, &(DeployInput){.now = 60.0 * (double)i, .ready = true}));
        CHECK_NEAR(d.share, shares[i], 1e-12);
        CHECK(!deploy_step(&d, &(DeployInput){.now = 60.0 * (double)i + 59, .ready = true}));
    }
    CHECK_INT(d.state, DEPLOY_BAKING);
    CHECK(deploy_step(&d, &(DeployInput){.now = 239, .ready = true, .alarm = "errors"}));
    CHECK_INT(d.state, DEPLOY_ROLLED_BACK);
    CHECK_NEAR(d.share, 0, 0);
    CHECK_STR(str_of(d.reason), STR("Alarm errors fired during the deployment"));
}

TEST(deploy, canary_bakes_twice_and_keeps_the_old_fleet)
{
    DeploySettings settings = {DEPLOY_CANARY, 0.1, 10, 20, 3600};
    Deployment d;
    deploy_start(&d, &settings, true, 0);
    DeployInput input = {.now = 0, .ready = true};
    deploy_step(&d, &input);
    CHECK_NEAR(d.share, 0.1, 0);
    input.now = 10;
    deploy_step(&d, &input);
    CHECK_NEAR(d.share, 1, 0);
    CHECK_INT(d.state, DEPLOY_BAKING);
    input.now = 20;
    deploy_step(&d, &input);
    CHECK_INT(d.state, DEPLOY_KEEPING);
    CHECK(deploy_keeps_old(&d));
    CHECK_NEAR(deploy_next(&d), 40, 0);
    /* What happens to the new fleet now is its own affair: the deployment has succeeded. */
    input = (DeployInput){.now = 40, .ready = true, .alarm = "late"};
    deploy_step(&d, &input);
    CHECK_INT(d.state, DEPLOY_DONE);
    CHECK(!deploy_keeps_old(&d));
}

TEST(deploy, without_an_old_fleet_it_fails)
{
    DeploySettings settings = {DEPLOY_ALL_AT_ONCE, 1, 0, 0, 600};
    Deployment d;
    deploy_start(&d, &settings, false, 0);
    CHECK(deploy_step(&d, &(DeployInput){.now = 1, .failed = "no model"}));
    CHECK_INT(d.state, DEPLOY_FAILED);
    CHECK_STR(str_of(d.reason), STR("no model"));
}

typedef struct Draws {
    Random random;
    uint64_t n;
} Draws;

static double unit(Draws *draws)
{
    return random_unit(draws->random, draws->n++);
}

static uint64_t below(Draws *draws, uint64_t n)
{
    return random_below(draws->random, draws->n++, n);
}

/* A fleet of servers that come up, die and recover as a seed wills, alarms that fire, and clocks that jump ahead. */
static void simulate(uint64_t seed)
{
    Draws draws = {random_stream(seed, 1), 0};
    DeploySettings settings = {
        .mode = (DeployMode)below(&draws, 3),
        .step = 0.05 + 0.95 * unit(&draws),
        .wait = 100 * unit(&draws) * (double)below(&draws, 2),
        .termination_wait = 50 * unit(&draws) * (double)below(&draws, 2),
        .timeout = 600 + 3000 * unit(&draws),
    };
    bool has_old = below(&draws, 4) > 0;
    double trouble = 0.02 * unit(&draws) * (double)below(&draws, 2);
    double now = 1000 * unit(&draws), last_share = 0;
    int servers = 1 + (int)below(&draws, 5), healthy = 0;
    bool was_ready = false, troubled = false;
    Deployment d;
    deploy_start(&d, &settings, has_old, now);
    for (int round = 0; round < 100000 && !deploy_ended(&d); round++) {
        now = below(&draws, 3) ? now + 5 * unit(&draws) : MIN(deploy_next(&d), now + 1e4);
        DeployInput input = {.now = now};
        if (healthy < servers) healthy += below(&draws, 5) == 0;
        input.ready = healthy == servers;
        if (unit(&draws) < trouble) input.failed = "a server died";
        if (unit(&draws) < trouble) input.alarm = "errors";
        bool stops = (input.failed || (input.alarm && has_old)) && d.state != DEPLOY_KEEPING;
        was_ready |= input.ready;
        DeployState before = d.state;
        deploy_step(&d, &input);
        troubled |= stops;
        /* Traffic never goes to a fleet that was never ready, moves up by no more than a step, and falls to nothing. */
        CHECK(d.share == 0 || was_ready);
        CHECK(d.share >= last_share || d.share == 0);
        if (settings.mode == DEPLOY_LINEAR && settings.wait > 0 && has_old)
            CHECK(d.share <= last_share + settings.step + 1e-9);
        CHECK(d.state >= before);
        CHECK(deploy_keeps_old(&d) == (has_old && d.state != DEPLOY_DONE));
        if (stops) CHECK(d.state == (has_old ? DEPLOY_ROLLED_BACK : DEPLOY_FAILED) && d.share == 0);
        last_share = d.share;
    }
    CHECK(deploy_ended(&d));
    CHECK((d.state == DEPLOY_DONE) == (d.reason[0] == 0));
    CHECK(d.state == DEPLOY_DONE ? d.share == 1 && !troubled : d.share == 0);
    Deployment end = d;
    CHECK(!deploy_step(&d, &(DeployInput){.now = now + 1e6, .failed = "late", .alarm = "late"}));
    CHECK(d.state == end.state && d.share == end.share);
}

TEST(deploy, simulated_deployments_keep_their_invariants)
{
    for (uint64_t seed = 0; seed < 20000; seed++) simulate(seed);
}

TEST(deploy, backoff_doubles_within_its_bounds)
{
    CHECK_NEAR(deploy_backoff(1, 0.5), 0.1, 1e-12);
    CHECK_NEAR(deploy_backoff(2, 0.5), 0.2, 1e-12);
    CHECK_NEAR(deploy_backoff(100, 0.5), 30, 1e-9);
    CHECK_NEAR(deploy_backoff(1, 0), 0.08, 1e-12);
}
