/* Colours: viridis for numbers, the PASCAL VOC rule for classes.
 *
 * viridis (Smith and van der Walt, 2015, public domain) is drawn between anchors read off the
 * published map, which keeps its even steps in lightness. The VOC palette spreads the bits of a
 * class number over the high bits of red, green and blue.
 */
#include "image/picture.h"

const ltap_colour ltap_colour_special = {255, 0, 255};
const ltap_colour ltap_colour_constant = {128, 128, 128};
const ltap_colour ltap_colour_background = {255, 255, 255};

/* Places in 72nds of the range. */
typedef struct anchor {
    int place;
    ltap_colour colour;
} anchor;

static const anchor anchors[] = {
    {0, {0x44, 0x01, 0x54}},  {8, {0x48, 0x28, 0x78}},  {9, {0x47, 0x2d, 0x7b}},
    {16, {0x3e, 0x4a, 0x89}}, {18, {0x3b, 0x52, 0x8b}}, {24, {0x31, 0x68, 0x8e}},
    {27, {0x2c, 0x72, 0x8e}}, {32, {0x26, 0x82, 0x8e}}, {36, {0x21, 0x90, 0x8c}},
    {40, {0x1f, 0x9e, 0x89}}, {45, {0x27, 0xad, 0x81}}, {48, {0x35, 0xb7, 0x79}},
    {54, {0x5d, 0xc8, 0x63}}, {56, {0x6d, 0xcd, 0x59}}, {63, {0xaa, 0xdc, 0x32}},
    {64, {0xb4, 0xde, 0x2c}}, {72, {0xfd, 0xe7, 0x25}},
};
#define LAST_PLACE 72

static uint8_t between(uint8_t a, uint8_t b, double t)
{
    return (uint8_t)(a + (b - a) * t + 0.5);
}

ltap_colour ltap_colour_viridis(double t)
{
    double place = (t > 0 ? t < 1 ? t : 1 : 0) * LAST_PLACE;
    size_t i = 0;
    while (anchors[i + 1].place < LAST_PLACE && place > anchors[i + 1].place)
        i++;
    const anchor *a = &anchors[i], *b = &anchors[i + 1];
    double part = (place - a->place) / (b->place - a->place);
    return (ltap_colour){between(a->colour.red, b->colour.red, part),
                         between(a->colour.green, b->colour.green, part),
                         between(a->colour.blue, b->colour.blue, part)};
}

ltap_colour ltap_colour_class(int index)
{
    unsigned bits = (unsigned)index, red = 0, green = 0, blue = 0;
    for (int shift = 7; shift >= 0; shift--, bits >>= 3) {
        red |= (bits & 1) << shift;
        green |= (bits >> 1 & 1) << shift;
        blue |= (bits >> 2 & 1) << shift;
    }
    return (ltap_colour){(uint8_t)red, (uint8_t)green, (uint8_t)blue};
}
