/* err.h -- the table of errors that the world makes: names, numbers, words.
 *
 * Functions that can fail because of the machine or its configuration return 0
 * or one of these (all negative). What a peer does wrong is a struct fault
 * (wire/fault.h); what we do wrong is a CHECK.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_BASE_ERR_H
#define NEXUS_BASE_ERR_H

#define ERR_TABLE(X)                         \
    X(ERR_INVALID, -1, "invalid")            \
    X(ERR_MALFORMED, -2, "malformed")        \
    X(ERR_UTF8, -3, "not valid UTF-8")       \
    X(ERR_TOO_DEEP, -4, "nested too deeply") \
    X(ERR_TOO_LONG, -5, "too long")          \
    X(ERR_FULL, -6, "no room left")          \
    X(ERR_IN_USE, -7, "already in use")      \
    X(ERR_NOT_FOUND, -8, "not found")        \
    X(ERR_DENIED, -9, "permission denied")   \
    X(ERR_IO, -10, "input/output error")     \
    X(ERR_TLS, -11, "TLS failure")           \
    X(ERR_CLOSED, -12, "closed")             \
    X(ERR_CONFIG, -13, "bad configuration")

#define ERR_ENUM(name, number, words) name = (number),
enum err { ERR_TABLE(ERR_ENUM) };
#undef ERR_ENUM

/* The name of an error ("ERR_IO"), and what it means ("input/output error"). */
const char *err_name(int err);
const char *err_words(int err);

#endif
