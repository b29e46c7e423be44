/*
 * jsonb.h - JSON as PostgreSQL's jsonb keeps it, told without asking a server. Internal.
 */
#ifndef JSONB_H
#define JSONB_H

#include "base.h"

/* A JSON number as jsonb writes it: without an exponent, zeros behind the point kept, no -0. */
void jsonb_number(struct ckpt_buf *to, struct ckpt_view number);

#endif
