#include "evaluate/diagnosis.h"

#include "base/test.h"

#include <math.h>

enum { ROUNDS = 50 };

static Diagnosis diagnose(bool maximize, double (*train)(int), double (*validation)(int),
                          Arena *arena)
{
    double t[ROUNDS], v[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        t[r] = train(r);
        v[r] = validation(r);
    }
    DiagnosisInput input = {.metric = STR("m"),
                            .maximize = maximize,
                            .train = t,
                            .validation = v,
                            .n_rounds = ROUNDS,
                            .final_round = ROUNDS - 1,
                            .baseline = NAN};
    Diagnosis diagnosis;
    CHECK(diagnosis_make(&input, arena, &diagnosis));
    return diagnosis;
}

static double falls_fast(int r)
{
    return exp(-r / 10.0);
}
static double turns(int r)
{
    return 0.4 + 0.001 * (r - 15) * (r - 15);
}
static double flat(int r)
{
    return 0.69 - 1e-5 * r;
}
static double levels_off(int r)
{
    return 0.3 + 0.7 * exp(-r / 3.0);
}
static double still_falls(int r)
{
    return 10 - 0.1 * r;
}

TEST(diagnosis, a_validation_curve_that_turns_is_overfitting)
{
    ARENA(arena);
    Diagnosis diagnosis = diagnose(false, falls_fast, turns, &arena);
    CHECK_INT(diagnosis.verdict, FIT_OVER);
    CHECK_INT(diagnosis.best_round, 15);
    CHECK(str_has(diagnosis.advice[0], STR("--num_round 16")));
}

TEST(diagnosis, what_never_moves_is_underfitting)
{
    ARENA(arena);
    CHECK_INT(diagnose(false, flat, flat, &arena).verdict, FIT_UNDER);
}

TEST(diagnosis, what_levels_off_together_is_good)
{
    ARENA(arena);
    CHECK_INT(diagnose(false, levels_off, levels_off, &arena).verdict, FIT_GOOD);
}

TEST(diagnosis, what_still_falls_needs_more_rounds)
{
    ARENA(arena);
    CHECK_INT(diagnose(false, still_falls, still_falls, &arena).verdict, FIT_UNFINISHED);
}
