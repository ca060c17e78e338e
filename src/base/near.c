/* Edit distances, and the shortest of them; see near.h. */
#include "base/near.h"

#include <stdlib.h>
#include <string.h>

void ltap_near_init(ltap_near *near, const char *wanted, size_t room)
{
    size_t bytes = strlen(wanted);
    *near = (ltap_near){.wanted = wanted,
                        .bytes = bytes <= LTAP_NEAR_LONGEST ? bytes : 0,
                        .room = room < LTAP_NEAR_ROOM ? room : LTAP_NEAR_ROOM,
                        .limit = ltap_near_enough(bytes)};
}

int ltap_near_enough(size_t bytes)
{
    return bytes < 24 ? (int)(bytes + 2) / 3 : 8;
}

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return c == '/' ? '.' : c;
}

int ltap_near_distance(const char *a, size_t n, const char *b, size_t m, int limit)
{
    int row[LTAP_NEAR_LONGEST + 1];
    if ((n > m ? n - m : m - n) > (size_t)limit || n > LTAP_NEAR_LONGEST)
        return limit + 1;
    for (size_t i = 0; i <= n; i++)
        row[i] = (int)i;
    for (size_t j = 0; j < m; j++) {
        int diagonal = row[0], least = row[0] = (int)j + 1;
        char c = fold(b[j]);
        for (size_t i = 0; i < n; i++) {
            int change = diagonal + (fold(a[i]) != c);
            int shift = (row[i] < row[i + 1] ? row[i] : row[i + 1]) + 1;
            diagonal = row[i + 1];
            row[i + 1] = change < shift ? change : shift;
            least = row[i + 1] < least ? row[i + 1] : least;
        }
        if (least > limit)
            return limit + 1;
    }
    return row[n];
}

int ltap_near_drift(const char *a, size_t n, const char *b, size_t m)
{
    int sum = 0;
    for (size_t i = 0; i < n && i < m; i++)
        sum += abs(a[i] - b[i]);
    return n == m ? sum : sum + 256;
}

void ltap_near_rank(ltap_near *near, const ltap_near_name *found)
{
    size_t at = near->count;
    for (size_t i = 0; i < near->count; i++)
        if (strcmp(near->best[i].name, found->name) == 0)
            return;
    while (at > 0 && (near->best[at - 1].distance > found->distance ||
                      (near->best[at - 1].distance == found->distance &&
                       near->best[at - 1].drift > found->drift)))
        at--;
    if (at >= near->room)
        return;
    if (near->count < near->room)
        near->count++;
    for (size_t i = near->count - 1; i > at; i--)
        near->best[i] = near->best[i - 1];
    near->best[at] = *found;
    if (near->count == near->room)
        near->limit = near->best[near->room - 1].distance;
}

void ltap_near_offer(ltap_near *near, const char *name)
{
    size_t bytes = strlen(name);
    if (near->bytes == 0)
        return;
    int distance = ltap_near_distance(near->wanted, near->bytes, name, bytes, near->limit);
    if (distance <= near->limit)
        ltap_near_rank(near, &(ltap_near_name){
                                 .name = name,
                                 .distance = distance,
                                 .drift = ltap_near_drift(near->wanted, near->bytes, name, bytes)});
}
