/* check_test.c -- a CHECK that holds is silent, one that does not aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"
#include "unit.h"

static int evaluations;

static bool count_and_say(bool answer)
{
    evaluations++;
    return answer;
}

TEST(evaluates_its_condition_once)
{
    evaluations = 0;
    CHECK(count_and_say(true));
    EXPECT_EQ(evaluations, 1);
}

TEST(aborts_when_wrong)
{
    EXPECT_ABORT(CHECK(1 + 1 == 3));
    EXPECT_ABORT(UNREACHABLE("the end"));
}

TEST(names_condition_and_place)
{
    int ends[2];
    char text[512];

    EXPECT_EQ(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        dup2(ends[1], STDERR_FILENO);
        check_failed("a == b", "some/file.c", 42, "some_function");
    }
    close(ends[1]);
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    waitpid(child, NULL, 0);
    text[len > 0 ? len : 0] = '\0';
    EXPECT(strstr(text, "a == b") != NULL);
    EXPECT(strstr(text, "some/file.c:42") != NULL);
    EXPECT(strstr(text, "some_function") != NULL);
}
