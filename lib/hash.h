/*
 * hash.h - XXH3 in the form LangGraph prints it.
 */
#ifndef HASH_H
#define HASH_H

#include "base.h"

/* XXH3-128 as 32 hex digits, big-endian; ("abc") = 06b05ab6733a618578af5f94892f3950 */
void hash_hex128(char out[static 33], struct ckpt_view);

#endif
