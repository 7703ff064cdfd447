/* Draws that need more than a line. */

#include "base/random.h"

#include <math.h>

double random_normal(Random random, uint64_t index)
{
    double radius = sqrt(-2 * log(1 - random_unit(random, 2 * index)));
    return radius * cos(2 * M_PI * random_unit(random, 2 * index + 1));
}

void random_permutation(Random random, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t j = random_below(random, i, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
