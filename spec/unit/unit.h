/* unit.h -- the whole of our unit test framework.
 *
 *   TEST(name) { EXPECT_EQ(1 + 1, 2); }
 *
 * One source is one program: include this once and write no main. A failed
 * expectation prints its place and values, and the test goes on. Arguments of
 * the program choose the tests whose names contain one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SPEC_UNIT_H
#define NEXUS_SPEC_UNIT_H

#include "base/slice.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT_SHOWN_MAX 10 /* failures of one test that are printed */

struct unit_test {
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};

static struct unit_test *unit_tests, **unit_last = &unit_tests;
static unsigned unit_failures; /* of the running test */

#define TEST(test)                                                  \
    static void test_##test(void);                                  \
    __attribute__((constructor)) static void add_##test(void)       \
    {                                                               \
        static struct unit_test entry = {#test, test_##test, NULL}; \
        *unit_last = &entry;                                        \
        unit_last = &entry.next;                                    \
    }                                                               \
    static void test_##test(void)

#define UNIT_FAIL(...)                             \
    do {                                           \
        if (unit_failures++ < UNIT_SHOWN_MAX) {    \
            printf("%s:%d: ", __FILE__, __LINE__); \
            printf(__VA_ARGS__);                   \
            putchar('\n');                         \
        }                                          \
    } while (0)

#define EXPECT(cond)                          \
    do {                                      \
        if (!(cond))                          \
            UNIT_FAIL("expected: %s", #cond); \
    } while (0)

/* Integers of at most 64 bits; compared as they are, so do not mix signs. */
#define EXPECT_EQ(actual, expected)                                                               \
    do {                                                                                          \
        long long unit_a = (long long)(actual), unit_e = (long long)(expected);                   \
        if (unit_a != unit_e)                                                                     \
            UNIT_FAIL("%s is %lld (0x%llx), expected %s = %lld (0x%llx)", #actual, unit_a,        \
                      (unsigned long long)unit_a, #expected, unit_e, (unsigned long long)unit_e); \
    } while (0)

#define EXPECT_SLICE(actual, expected)                                                      \
    do {                                                                                    \
        struct slice unit_a = (actual), unit_e = (expected);                                \
        if (!slice_eq(unit_a, unit_e))                                                      \
            UNIT_FAIL("%s is \"%.*s\" (%zu bytes), expected \"%.*s\" (%zu bytes)", #actual, \
                      SLICE_ARG(unit_a), unit_a.len, SLICE_ARG(unit_e), unit_e.len);        \
    } while (0)

#define EXPECT_STR(actual, expected) EXPECT_SLICE(slice_of(actual), slice_of(expected))

/* The statement must end the program with abort(), as a CHECK does. It runs in a child. */
#define EXPECT_ABORT(statement)                                                      \
    do {                                                                             \
        int unit_status = 0;                                                         \
        fflush(stdout);                                                              \
        pid_t unit_child = fork();                                                   \
        if (unit_child == 0) {                                                       \
            setrlimit(RLIMIT_CORE, &(struct rlimit){0});                             \
            close(STDERR_FILENO);                                                    \
            statement;                                                               \
            _exit(0);                                                                \
        }                                                                            \
        waitpid(unit_child, &unit_status, 0);                                        \
        if (!WIFSIGNALED(unit_status) || WTERMSIG(unit_status) != SIGABRT)           \
            UNIT_FAIL("%s did not abort (wait status %d)", #statement, unit_status); \
    } while (0)

static bool unit_is_chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL)
            return true;
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    for (const struct unit_test *test = unit_tests; test != NULL; test = test->next) {
        if (!unit_is_chosen(test->name, argc, argv))
            continue;
        unit_failures = 0;
        test->run();
        if (unit_failures != 0)
            printf("FAILED %s: %u expectations\n", test->name, unit_failures);
        *(unit_failures == 0 ? &passed : &failed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0 || passed == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
