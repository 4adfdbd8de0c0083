/* SPDX-License-Identifier: MIT */
#pragma once
/* Sockets are Winsock's. */
#include <winsock2.h>
#include <ws2tcpip.h>
