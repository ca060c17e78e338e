/* Headers of stored zip entries whose sizes are known before the first byte is written. Data begins
 * at multiples of 64, so that a mapped archive can be used in place: local headers are stretched by
 * an extra field (0xD935, the alignment field of Android's zipalign), which readers skip. ZIP64
 * fields appear only where a number does not fit. The date is zip's first day: same input, same
 * file.
 */
#include "base/checked.h"
#include "base/error.h"
#include "codec/bytes.h"
#include "codec/zip.h"

#define LOCAL_BYTES     30
#define CENTRAL_BYTES   46
#define END_BYTES       22
#define END64_BYTES     56
#define LOCATOR_BYTES   20
#define ALIGNMENT       64
#define ALIGNMENT_FIELD 0xD935
#define ZIP64_FIELD     0x0001
#define FLAG_UTF8       0x0800
#define FIRST_DAY       0x0021
#define SATURATED       0xFFFFFFFFu

static bool is_wide(uint64_t value)
{
    return value >= SATURATED;
}

static uint32_t narrow(uint64_t value)
{
    return is_wide(value) ? SATURATED : (uint32_t)value;
}

static uint16_t version_needed(bool zip64)
{
    return zip64 ? 45 : 20;
}

static uint16_t flags_of(const ltap_zip_member *member)
{
    for (size_t i = 0; i < member->name_bytes; i++)
        if ((unsigned char)member->name[i] >= 0x80)
            return FLAG_UTF8;
    return 0;
}

ltap_status ltap_zip_place(ltap_zip_member *member, uint64_t *end, ltap_error *error)
{
    uint64_t data, after;
    if (member->name_bytes > 0xFFFF)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT,
                              "a name of %zu bytes; zip takes at most 65535", member->name_bytes);
    uint64_t fixed = LOCAL_BYTES + member->name_bytes + (is_wide(member->bytes) ? 20 : 0);
    if (!ltap_checked_add(*end, fixed, &data) || !ltap_checked_round_up(data, ALIGNMENT, &after))
        after = UINT64_MAX;
    else if (after != data && after - data < 6)
        after += ALIGNMENT;
    member->header_offset = *end;
    member->data_offset = after;
    if (!ltap_checked_add(after, member->bytes, end) || *end > INT64_MAX)
        return ltap_error_set(error, LTAP_ERROR_ARGUMENT, "the file would pass 2^63 bytes");
    return LTAP_OK;
}

/* What local and central headers share: versions to sizes, without the signature. */
static uint8_t *common_fields(const ltap_zip_member *member, bool zip64, uint8_t *p)
{
    p = ltap_store_u16(p, version_needed(zip64));
    p = ltap_store_u16(p, flags_of(member));
    p = ltap_store_u16(p, 0);
    p = ltap_store_u16(p, 0);
    p = ltap_store_u16(p, FIRST_DAY);
    p = ltap_store_u32(p, member->crc);
    p = ltap_store_u32(p, narrow(member->bytes));
    p = ltap_store_u32(p, narrow(member->bytes));
    return ltap_store_u16(p, (uint16_t)member->name_bytes);
}

void ltap_zip_local_header(const ltap_zip_member *member, uint8_t *out)
{
    bool wide = is_wide(member->bytes);
    uint8_t *end = out + (member->data_offset - member->header_offset);
    uint8_t *p = common_fields(member, wide, ltap_store_u32(out, 0x04034b50));
    size_t extra = (size_t)(end - p) - 2 - member->name_bytes;
    p = ltap_store_u16(p, (uint16_t)extra);
    p = ltap_store_bytes(p, member->name, member->name_bytes);
    if (wide) {
        p = ltap_store_u16(p, ZIP64_FIELD);
        p = ltap_store_u16(p, 16);
        p = ltap_store_u64(p, member->bytes);
        p = ltap_store_u64(p, member->bytes);
    }
    if (p == end)
        return;
    p = ltap_store_u16(p, ALIGNMENT_FIELD);
    p = ltap_store_u16(p, (uint16_t)(end - p - 2));
    p = ltap_store_u16(p, ALIGNMENT);
    memset(p, 0, (size_t)(end - p));
}

static size_t central_extra_bytes(const ltap_zip_member *member)
{
    size_t wide = 16 * is_wide(member->bytes) + 8 * is_wide(member->header_offset);
    return wide ? 4 + wide : 0;
}

static uint8_t *central_header(const ltap_zip_member *member, uint8_t *p)
{
    size_t extra = central_extra_bytes(member);
    p = ltap_store_u32(p, 0x02014b50);
    p = ltap_store_u16(p, version_needed(extra > 0));
    p = common_fields(member, extra > 0, p);
    p = ltap_store_u16(p, (uint16_t)extra);
    memset(p, 0, 10); /* comment, disk, attributes */
    p = ltap_store_u32(p + 10, narrow(member->header_offset));
    p = ltap_store_bytes(p, member->name, member->name_bytes);
    if (extra) {
        p = ltap_store_u16(p, ZIP64_FIELD);
        p = ltap_store_u16(p, (uint16_t)(extra - 4));
    }
    if (is_wide(member->bytes))
        p = ltap_store_u64(ltap_store_u64(p, member->bytes), member->bytes);
    if (is_wide(member->header_offset))
        p = ltap_store_u64(p, member->header_offset);
    return p;
}

static uint64_t central_bytes(const ltap_zip_member *members, size_t n_members)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n_members; i++)
        bytes += CENTRAL_BYTES + members[i].name_bytes + central_extra_bytes(&members[i]);
    return bytes;
}

static bool needs_end64(size_t n_members, uint64_t bytes, uint64_t offset)
{
    return n_members >= 0xFFFF || is_wide(bytes) || is_wide(offset);
}

uint64_t ltap_zip_directory_bytes(const ltap_zip_member *members, size_t n_members, uint64_t offset)
{
    uint64_t bytes = central_bytes(members, n_members);
    uint64_t wide = needs_end64(n_members, bytes, offset) ? END64_BYTES + LOCATOR_BYTES : 0;
    return bytes + wide + END_BYTES;
}

static uint8_t *end64(size_t n_members, uint64_t bytes, uint64_t offset, uint8_t *p)
{
    p = ltap_store_u32(p, 0x06064b50);
    p = ltap_store_u64(p, END64_BYTES - 12);
    p = ltap_store_u16(ltap_store_u16(p, 45), 45);
    p = ltap_store_u64(p, 0);
    p = ltap_store_u64(ltap_store_u64(p, n_members), n_members);
    p = ltap_store_u64(ltap_store_u64(p, bytes), offset);
    p = ltap_store_u32(p, 0x07064b50);
    p = ltap_store_u32(p, 0);
    p = ltap_store_u64(p, offset + bytes);
    return ltap_store_u32(p, 1);
}

void ltap_zip_directory(const ltap_zip_member *members, size_t n_members, uint64_t offset,
                        uint8_t *out)
{
    uint64_t bytes = central_bytes(members, n_members);
    uint16_t n = n_members >= 0xFFFF ? 0xFFFF : (uint16_t)n_members;
    uint8_t *p = out;
    for (size_t i = 0; i < n_members; i++)
        p = central_header(&members[i], p);
    if (needs_end64(n_members, bytes, offset))
        p = end64(n_members, bytes, offset, p);
    p = ltap_store_u32(p, 0x06054b50);
    p = ltap_store_u32(p, 0);
    p = ltap_store_u16(ltap_store_u16(p, n), n);
    p = ltap_store_u32(ltap_store_u32(p, narrow(bytes)), narrow(offset));
    ltap_store_u16(p, 0);
}
