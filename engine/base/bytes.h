/* Numbers to and from bytes: little-endian in values, big-endian in keys (so that memcmp orders
 * them). */
#ifndef HF_BASE_BYTES_H
#define HF_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

/* Writes the lowest 4 bytes of value, least significant first. */
static inline void hf_put_le32(void *to, uint32_t value)
{
    unsigned char *bytes = (unsigned char *)to;
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(value >> (8 * i));
}

/* Writes 8 bytes, least significant first. */
static inline void hf_put_le64(void *to, uint64_t value)
{
    hf_put_le32(to, (uint32_t)value);
    hf_put_le32((unsigned char *)to + 4, (uint32_t)(value >> 32));
}

/* Reads 4 bytes, least significant first. */
static inline uint32_t hf_get_le32(const void *from)
{
    const unsigned char *bytes = (const unsigned char *)from;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Reads 8 bytes, least significant first. */
static inline uint64_t hf_get_le64(const void *from)
{
    return (uint64_t)hf_get_le32(from) | (uint64_t)hf_get_le32((const unsigned char *)from + 4)
                                             << 32;
}

/* Writes 4 bytes, most significant first. */
static inline void hf_put_be32(void *to, uint32_t value)
{
    unsigned char *bytes = (unsigned char *)to;
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Writes 8 bytes, most significant first. */
static inline void hf_put_be64(void *to, uint64_t value)
{
    hf_put_be32(to, (uint32_t)(value >> 32));
    hf_put_be32((unsigned char *)to + 4, (uint32_t)value);
}

/* Reads 4 bytes, most significant first. */
static inline uint32_t hf_get_be32(const void *from)
{
    const unsigned char *bytes = (const unsigned char *)from;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

/* Reads 8 bytes, most significant first. */
static inline uint64_t hf_get_be64(const void *from)
{
    return (uint64_t)hf_get_be32(from) << 32 |
           (uint64_t)hf_get_be32((const unsigned char *)from + 4);
}

#endif
