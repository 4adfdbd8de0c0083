/* SPDX-License-Identifier: MIT */
#include "common/array.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"

int spg_array_reserve(void *array, size_t n, size_t *size, size_t element_bytes)
{
	size_t want = *size ? *size * 2 : 8;
	void *elements;

	if (n < *size)
		return 0;
	/* The pointer has another type than void *: copy its bytes. */
	memcpy(&elements, array, sizeof(elements));
	elements = reallocarray(elements, want, element_bytes);
	if (!elements)
		return SPG_ERR_NOMEM;
	memcpy(array, &elements, sizeof(elements));
	*size = want;
	return 0;
}
