/* Patterns: "*" and "?" within a part of a path, "**" across parts. All beginnings of the pattern
 * that match so far are followed at once, so that no pattern costs more than its length times the
 * name's.
 */
#include "select/things.h"
#include <string.h>

bool ltap_glob_is(const char *pattern)
{
    return strpbrk(pattern, "*?") != NULL;
}

static bool ends_part(char c)
{
    return c == '.' || c == '/';
}

/* states[i]: whether the pattern so far matches the first i bytes of the name. */
static void star(const char *name, size_t bytes, uint8_t *states, bool across)
{
    for (size_t i = 0; i < bytes; i++)
        states[i + 1] |= states[i] && (across || !ends_part(name[i]));
}

static void one(const char *name, size_t bytes, uint8_t *states, char wanted)
{
    for (size_t i = bytes; i > 0; i--)
        states[i] =
            states[i - 1] && (wanted == '?' ? !ends_part(name[i - 1]) : name[i - 1] == wanted);
    states[0] = 0;
}

bool ltap_glob_match(const char *pattern, size_t pattern_bytes, const char *name, size_t bytes,
                     uint8_t *states)
{
    size_t literal = 0;
    while (literal < pattern_bytes && literal < bytes && pattern[literal] != '*' &&
           pattern[literal] != '?') {
        if (pattern[literal] != name[literal])
            return false;
        literal++;
    }
    memset(states, 0, bytes + 1);
    states[literal] = 1;
    for (size_t p = literal; p < pattern_bytes; p++) {
        bool across = pattern[p] == '*' && p + 1 < pattern_bytes && pattern[p + 1] == '*';
        if (pattern[p] == '*')
            star(name, bytes, states, across);
        else
            one(name, bytes, states, pattern[p]);
        p += across;
    }
    return states[bytes] != 0;
}
