/* exit_code.h -- what the numbers mean with which nexusd ends; --help prints them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_EXIT_CODE_H
#define NEXUS_DAEMON_EXIT_CODE_H

#define EXIT_CODE_TABLE(X)                                                            \
    X(EXIT_OK, 0, "ended as asked")                                                   \
    X(EXIT_RUNTIME, 1, "cannot start or go on: address in use, bad certificate, ...") \
    X(EXIT_USAGE, 2, "the command line is wrong")                                     \
    X(EXIT_CONFIG, 78, "the configuration is wrong")                                  \
    X(EXIT_HURRIED, 130, "ended at once by a second signal, sessions were not closed")

#define EXIT_CODE_ENUM(name, number, words) name = (number),
enum exit_code { EXIT_CODE_TABLE(EXIT_CODE_ENUM) };
#undef EXIT_CODE_ENUM

#endif
