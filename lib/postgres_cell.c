/*
 * postgres_cell.c - one value of a binary result as a cell, in place where its bytes allow. Types
 * that are not in this file are refused by name: the SQL casts what it wants to read otherwise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pq.h"

static uint64_t big_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* The shortest decimal that reads back as the same number. */
static size_t real_text(char to[static PG_NUMBER_BYTES], const char *p, bool single)
{
	uint64_t bits = big_endian(p, single ? 4 : 8);
	uint32_t bits32 = (uint32_t)bits;
	double d;
	float f;
	int n = 0;

	memcpy(&d, &bits, sizeof(d));
	memcpy(&f, &bits32, sizeof(f));
	for (int digits = single ? 6 : 15; digits <= 17; digits++) {
		n = snprintf(to, PG_NUMBER_BYTES, "%.*g", digits, single ? (double)f : d);
		if (single ? strtof(to, NULL) == f : strtod(to, NULL) == d)
			break;
	}
	return (size_t)n;
}

static size_t uuid_text(char to[static PG_NUMBER_BYTES], const char *p)
{
	size_t n = 0;

	for (unsigned i = 0; i < 16; i++) {
		unsigned byte = (unsigned char)p[i];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			to[n++] = '-';
		to[n++] = (char)hex_digit(byte >> 4);
		to[n++] = (char)hex_digit(byte & 15);
	}
	return n;
}

static int bad_column(struct pg_conn *c, const struct pg_place *at)
{
	char name[200];

	return ckpt_fail(c->base.err, CKPT_EUNSUPPORTED,
			"column '%s' has a type that is not known "
			"here (oid %u)",
			ckpt_show_name(name,
					ckpt_view_of(c->pq.PQfname(at->res, at->col))),
			(unsigned)c->pq.PQftype(at->res, at->col));
}

/* A value of a fixed width, or 0 where any is right. */
static size_t width_of(Oid type)
{
	switch (type) {
	case PG_BOOL:
		return 1;
	case PG_INT2:
		return 2;
	case PG_INT4:
	case PG_OID:
	case PG_FLOAT4:
		return 4;
	case PG_INT8:
	case PG_FLOAT8:
		return 8;
	case PG_UUID:
		return 16;
	default:
		return 0;
	}
}

int pg_cell(struct cell *out, struct pg_conn *c, const struct pg_place *at, char *number)
{
	const char *p = c->pq.PQgetvalue(at->res, at->row, at->col);
	size_t n = (size_t)c->pq.PQgetlength(at->res, at->row, at->col);
	Oid type = c->pq.PQftype(at->res, at->col);

	*out = (struct cell){ 0 };
	if (c->pq.PQgetisnull(at->res, at->row, at->col))
		return 0;
	if (width_of(type) && n != width_of(type))
		return bad_column(c, at);
	out->kind = CELL_TEXT;
	out->v = (struct ckpt_view){ p, n };
	switch (type) {
	case PG_BOOL:
	case PG_OID:
		out->i = (int64_t)big_endian(p, n);
		break;
	case PG_INT2:
		out->i = (int16_t)big_endian(p, n);
		break;
	case PG_INT4:
		out->i = (int32_t)big_endian(p, n);
		break;
	case PG_INT8:
		out->i = (int64_t)big_endian(p, n);
		break;
	case PG_FLOAT4:
	case PG_FLOAT8:
		out->kind = CELL_REAL;
		out->v = (struct ckpt_view){ number,
			real_text(number, p, type == PG_FLOAT4) };
		return 0;
	case PG_UUID:
		out->v = (struct ckpt_view){ number, uuid_text(number, p) };
		return 0;
	case PG_BYTEA:
		out->kind = CELL_BLOB;
		return 0;
	case PG_JSONB: /* a version, then the text */
		if (n == 0 || *p != 1)
			return bad_column(c, at);
		out->v = (struct ckpt_view){ p + 1, n - 1 };
		return 0;
	case PG_TEXT:
	case PG_VARCHAR:
	case PG_BPCHAR:
	case PG_NAME:
	case PG_CHAR:
	case PG_JSON:
	case PG_UNKNOWN:
		return 0;
	default:
		return bad_column(c, at);
	}
	out->kind = CELL_INT;
	out->v = (struct ckpt_view){ 0 };
	return 0;
}
