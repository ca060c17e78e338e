/* By make_pictures.py: what Pillow and torchvision make of the pictures. */
#ifndef LTAP_TESTS_IMAGE_EXPECTED_H
#define LTAP_TESTS_IMAGE_EXPECTED_H

#include <stdint.h>

/* Size and FNV-1a hash of the RGB pixels, as stored and turned by the EXIF orientation. */
static const struct {
    const char *name;
    int width, height;
    uint64_t pixels;
    int turned_width, turned_height;
    uint64_t turned_pixels;
} expected_pictures[] = {
    /* clang-format off */
    {"adobergb.jpg", 19, 13, 0x43d8d80a05bf93fdu, 19, 13, 0x43d8d80a05bf93fdu},
    {"cmyk.jpg", 19, 13, 0x353b97049192b9edu, 19, 13, 0x353b97049192b9edu},
    {"exif2.jpg", 19, 13, 0x4f0040c45a6ceedfu, 19, 13, 0x06805100c64bc7bbu},
    {"exif3.jpg", 19, 13, 0x4f0040c45a6ceedfu, 19, 13, 0xcabbdcdaef60b99bu},
    {"exif4.jpg", 19, 13, 0x4f0040c45a6ceedfu, 19, 13, 0xd7b4d90b74037ddfu},
    {"exif6.jpg", 19, 13, 0x4f0040c45a6ceedfu, 13, 19, 0xa68d626c3ba2dc3bu},
    {"grey.jpg", 19, 13, 0x3fb8cec99832f1dfu, 19, 13, 0x3fb8cec99832f1dfu},
    {"grey1.png", 19, 13, 0x4724a0b512b5e5ffu, 19, 13, 0x4724a0b512b5e5ffu},
    {"grey16.png", 19, 13, 0x7938f168bdefe869u, 19, 13, 0x7938f168bdefe869u},
    {"grey2.png", 19, 13, 0x0ef1765b36a2b3f8u, 19, 13, 0x0ef1765b36a2b3f8u},
    {"grey4.png", 19, 13, 0xc91299f52de7fec3u, 19, 13, 0xc91299f52de7fec3u},
    {"grey4lace.png", 19, 13, 0x56cab1daa0291f22u, 19, 13, 0x56cab1daa0291f22u},
    {"grey8.png", 19, 13, 0x18a3f522ecd4829fu, 19, 13, 0x18a3f522ecd4829fu},
    {"grey8trns.png", 19, 13, 0xe1804c3f21506754u, 19, 13, 0xe1804c3f21506754u},
    {"greya16.png", 19, 13, 0xce1183c9b540a2e8u, 19, 13, 0xce1183c9b540a2e8u},
    {"greya8.png", 19, 13, 0x9a1c098b827aae36u, 19, 13, 0x9a1c098b827aae36u},
    {"palette1.png", 19, 13, 0x8976203022d4ca3fu, 19, 13, 0x8976203022d4ca3fu},
    {"palette2.png", 19, 13, 0xaf13bb64deb0432cu, 19, 13, 0xaf13bb64deb0432cu},
    {"palette4.png", 19, 13, 0xfeddac40bfc511bfu, 19, 13, 0xfeddac40bfc511bfu},
    {"palette8.png", 19, 13, 0x7fe287f5e137cc39u, 19, 13, 0x7fe287f5e137cc39u},
    {"palette8few.png", 19, 13, 0x45fee78992b4a3efu, 19, 13, 0x45fee78992b4a3efu},
    {"progressive.jpg", 19, 13, 0x64aca46529100f1bu, 19, 13, 0x64aca46529100f1bu},
    {"rgb16.png", 19, 13, 0xd1e7650f68bb4276u, 19, 13, 0xd1e7650f68bb4276u},
    {"rgb420.jpg", 19, 13, 0x385a4fbd275f4684u, 19, 13, 0x385a4fbd275f4684u},
    {"rgb422.jpg", 19, 13, 0x5e07ec2e66f0ec27u, 19, 13, 0x5e07ec2e66f0ec27u},
    {"rgb444.jpg", 19, 13, 0xcb59c7fec47b5e24u, 19, 13, 0xcb59c7fec47b5e24u},
    {"rgb8.png", 19, 13, 0x047494b54f06ef8cu, 19, 13, 0x047494b54f06ef8cu},
    {"rgb8exif5.png", 19, 13, 0x6b329e26203aaa62u, 13, 19, 0x759ace78387fab36u},
    {"rgb8exif7.png", 19, 13, 0x6b329e26203aaa62u, 13, 19, 0x8b326cfc7e581eaeu},
    {"rgb8exif8.png", 19, 13, 0x6b329e26203aaa62u, 13, 19, 0xd696c32b9e4bc36eu},
    {"rgb8gama.png", 19, 13, 0x1a124d7af1c9659au, 19, 13, 0x1a124d7af1c9659au},
    {"rgb8lace.png", 19, 13, 0x1a124d7af1c9659au, 19, 13, 0x1a124d7af1c9659au},
    {"rgba16lace.png", 19, 13, 0x0c93fe5022934aecu, 19, 13, 0x0c93fe5022934aecu},
    {"rgba8.png", 19, 13, 0x421299c88f3fff6du, 19, 13, 0x421299c88f3fff6du},
    {"ycck.jpg", 19, 13, 0xadd901810f82963au, 19, 13, 0xadd901810f82963au},
#ifdef LTAP_HAVE_WEBP
    {"animated.webp", 28, 18, 0x67412a22c71ac9bau, 28, 18, 0x67412a22c71ac9bau},
    {"animated1.webp", 19, 13, 0x81775396003d0e96u, 19, 13, 0x81775396003d0e96u},
    {"exif5.webp", 19, 13, 0x81775396003d0e96u, 13, 19, 0xf45794c2eb7cfaa2u},
    {"exif6.webp", 19, 13, 0x25d5a6261bb5a556u, 13, 19, 0x46579fb085040076u},
    {"exifunsaid.webp", 19, 13, 0x25d5a6261bb5a556u, 19, 13, 0x25d5a6261bb5a556u},
    {"lossless.webp", 19, 13, 0x81775396003d0e96u, 19, 13, 0x81775396003d0e96u},
    {"losslessalpha.webp", 19, 13, 0x0a4f9f9b0f4c5f76u, 19, 13, 0x0a4f9f9b0f4c5f76u},
    {"lossy.webp", 19, 13, 0x25d5a6261bb5a556u, 19, 13, 0x25d5a6261bb5a556u},
    {"lossyalpha.webp", 19, 13, 0x2b6475b461f73504u, 19, 13, 0x2b6475b461f73504u},
#endif
    /* clang-format on */
};

/* Size and FNV-1a hash of the float32 bytes (little endian) after these steps. */
static const struct {
    const char *name;
    const char *steps[4];
    int width, height;
    uint64_t values;
} expected_steps[] = {
    /* clang-format off */
    {"rgb8.png", {"resize=7", "scale=255"}, 10, 7, 0xf96428b50a9eb94bu},
    {"rgb8.png", {"resize=40", "scale=255"}, 58, 40, 0x02bffaa2bf3d22f4u},
    {"rgb8.png", {"resize=5x31", "scale=255"}, 31, 5, 0xbf081410b03081a9u},
    {"rgb8.png", {"resize=31x5", "filter=bicubic", "scale=255"}, 5, 31, 0x318c41377a988595u},
    {"rgb8.png", {"resize=13x40", "scale=255"}, 40, 13, 0x88c899f5013f05f0u},
    {"rgb8.png", {"resize=40x19", "scale=255"}, 19, 40, 0xa65827e309c06c63u},
    {"rgb8.png", {"resize=1", "scale=255"}, 1, 1, 0x143b8beb76fe596cu},
    {"rgb8.png", {"resize=8", "filter=bicubic", "crop=5x6", "scale=255"}, 6, 5, 0x5ab87b1c8d788020u},
    {"rgb8.png", {"crop=10x12", "scale=255"}, 12, 10, 0x3f9a10298c2daf6du},
    {"rgb8.png", {"crop=8x14", "scale=255"}, 14, 8, 0x4e4b97318de676f9u},
    {"rgb8.png", {"crop=20x30", "scale=255"}, 30, 20, 0x1b6bb71d65f7612eu},
    {"rgb8.png", {"crop=5x30", "scale=255"}, 30, 5, 0x1bb192f821281dc4u},
    {"rgb444.jpg", {"preset=imagenet"}, 224, 224, 0xfe24451e8980b9cau},
    {"rgb444.jpg", {"preset=imagenet:20x33"}, 33, 20, 0xa420fae2b02cc75fu},
    {"rgb444.jpg", {"preset=segmentation:20x33"}, 33, 20, 0xa738d695ec2aea0du},
    {"rgb8.png", {"resize=31x7", "filter=nearest", "scale=255"}, 7, 31, 0x4da40eba9fa2eb1cu},
    {"rgb444.jpg", {"preset=keras:20x33"}, 33, 20, 0x0680b362214a699fu},
    {"rgb444.jpg", {"preset=keras-tf:33x20"}, 20, 33, 0x644590de6d244650u},
    {"rgb444.jpg", {"preset=keras-torch"}, 224, 224, 0xfc59d9e1cae715d0u},
    {"rgb444.jpg", {"preset=keras-caffe"}, 224, 224, 0xcde62332e8eb1afeu},
    /* clang-format on */
};

#endif
