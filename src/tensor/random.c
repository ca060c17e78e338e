/* SplitMix64 (Steele, Lea, Flood 2014) and Marsaglia's polar method (1964), in IEEE doubles. The
 * logarithm is a series of our own, because the C library's may differ in its last bit from one
 * machine to the next; square roots are exact everywhere. */
#include <layertap/random.h>

#include <math.h>

static uint64_t next_bits(ltap_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ln x = e ln 2 + 2 artanh((m-1)/(m+1)) with m in [sqrt(1/2), sqrt 2): 12 terms reach 2^-53. */
static double logarithm(double x)
{
    int e = 0;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1), square = t * t, power = t, sum = 0;
    for (int k = 1; k < 24; k += 2) {
        sum += power / k;
        power *= square;
    }
    return (double)e * 0.69314718055994531 + 2 * sum;
}

double ltap_random_normal(ltap_random *random)
{
    if (random->has_spare) {
        random->has_spare = 0;
        return random->spare;
    }
    double a, b, s;
    do {
        a = (double)(next_bits(random) >> 11) * 0x1p-52 - 1;
        b = (double)(next_bits(random) >> 11) * 0x1p-52 - 1;
        s = a * a + b * b;
    } while (s >= 1 || s == 0);
    double factor = sqrt(-2 * logarithm(s) / s);
    random->spare = b * factor;
    random->has_spare = 1;
    return a * factor;
}
