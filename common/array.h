/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Growth of plain arrays that their owner keeps as pointer, count and size.
 */
#include <stddef.h>

/**
 * Make room for one more element behind @n, doubling the allocation.
 *
 * @array  address of the pointer to the elements, of whatever type
 * @size   allocated elements; updated
 *
 * Returns 0 or SPG_ERR_NOMEM, which leaves everything as it was.
 */
int spg_array_reserve(void *array, size_t n, size_t *size, size_t element_bytes);
