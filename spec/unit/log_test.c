/* log_test.c -- lines in both forms, read back from a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>

static int ends[2];
static char got[1 << 16];

static void start(enum log_level level, bool json)
{
    EXPECT_EQ(pipe(ends), 0);
    log_setup(&(struct log_options){.level = level, .json = json, .fd = ends[1]});
}

/* Everything written since start. */
static struct slice finish(void)
{
    size_t len = 0;
    ssize_t part;

    close(ends[1]);
    while ((part = read(ends[0], got + len, sizeof(got) - len)) > 0)
        len += (size_t)part;
    close(ends[0]);
    return slice_make(got, len);
}

static bool is_instant(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    }
    return true;
}

/* What follows the instant in a text line. */
static struct slice after_instant(struct slice line)
{
    EXPECT(line.len > 25 && is_instant(line.data));
    return line.len > 25 ? slice_make(line.data + 25, line.len - 25) : line;
}

/* What follows the instant in a JSON line. */
static struct slice after_json_instant(struct slice line)
{
    EXPECT(slice_starts_with(line, SLICE("{\"ts\":\"")));
    EXPECT(line.len > 33 && is_instant(line.data + 7));
    return line.len > 33 ? slice_make(line.data + 33, line.len - 33) : line;
}

TEST(writes_a_text_line)
{
    start(LOG_INFO, false);
    log_line(LOG_INFO, "listen-ok", "listening", "address", "127.0.0.1:8080", NULL);
    EXPECT_SLICE(after_instant(finish()),
                 SLICE("INFO  listen-ok listening address=127.0.0.1:8080\n"));
}

TEST(writes_a_json_line)
{
    start(LOG_INFO, true);
    log_line(LOG_ERROR, "listen-failed", "cannot listen", "address", "[::1]:80", "error",
             "permission denied", NULL);
    EXPECT_SLICE(after_json_instant(finish()),
                 SLICE("\"level\":\"error\",\"id\":\"listen-failed\",\"msg\":\"cannot listen\","
                       "\"address\":\"[::1]:80\",\"error\":\"permission denied\"}\n"));
}

TEST(quotes_values_that_need_it)
{
    static const char *const cases[][2] = {
        {"plain", "k=plain"},
        {"", "k=\"\""},
        {"two words", "k=\"two words\""},
        {"a=b", "k=\"a=b\""},
        {"say \"hi\"", "k=\"say \\\"hi\\\"\""},
        {"C:\\x", "k=\"C:\\\\x\""},
        {"\xc3\xa4\xf0\x9f\x98\x80", "k=\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {"a\nINFO forged", "k=\"a\\nINFO forged\""},
        {"\r\t\b\f", "k=\"\\r\\t\\b\\f\""},
        {"\x1b[2J", "k=\"\\x1b[2J\""},
        {"\x7f", "k=\"\\x7f\""},
        {"\xc2\x9b", "k=\"\\u009b\""},
        {"\xe2\x80\xa8", "k=\"\\u2028\""},
        {"\xe2\x80\xae", "k=\"\\u202e\""},
        {"\xe2\x81\xa6", "k=\"\\u2066\""},
        {"ok\xff\xc3", "k=\"ok\\xff\\xc3\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char expected[128];
        start(LOG_DEBUG, false);
        log_line(LOG_WARN, "id", "words", "k", cases[i][0], NULL);
        snprintf(expected, sizeof(expected), "WARN  id words %s\n", cases[i][1]);
        EXPECT_SLICE(after_instant(finish()), slice_of(expected));
    }
}

TEST(escapes_json)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"", ""},
        {"say \"hi\" \\", "say \\\"hi\\\" \\\\"},
        {"a\n\r\t\b\f", "a\\n\\r\\t\\b\\f"},
        {"\x01\x1b\x7f", "\\u0001\\u001b\\u007f"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xe2\x80\xa9", "\\u2029"},
        {"bad\xff", "bad\xef\xbf\xbd"},
        {"cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char expected[160];
        start(LOG_DEBUG, true);
        log_line(LOG_DEBUG, "id", "words", "k", cases[i][0], NULL);
        snprintf(expected, sizeof(expected),
                 "\"level\":\"debug\",\"id\":\"id\",\"msg\":\"words\",\"k\":\"%s\"}\n",
                 cases[i][1]);
        EXPECT_SLICE(after_json_instant(finish()), slice_of(expected));
    }
}

TEST(escapes_words_and_keys_as_well)
{
    start(LOG_INFO, false);
    log_line(LOG_INFO, "id", "one\ntwo", "bad key\n", "v", NULL);
    EXPECT_SLICE(after_instant(finish()), SLICE("INFO  id one\\ntwo \"bad key\\n\"=v\n"));
}

TEST(leaves_out_pairs_without_value)
{
    start(LOG_INFO, false);
    log_line(LOG_INFO, "id", "words", "a", "1", "b", NULL, "c", "3", NULL);
    EXPECT_SLICE(after_instant(finish()), SLICE("INFO  id words a=1 c=3\n"));
    start(LOG_INFO, true);
    log_line(LOG_INFO, "id", "words", "b", NULL, NULL);
    EXPECT_SLICE(after_json_instant(finish()),
                 SLICE("\"level\":\"info\",\"id\":\"id\",\"msg\":\"words\"}\n"));
}

TEST(keeps_quiet_below_its_level)
{
    start(LOG_WARN, false);
    EXPECT(!log_is_on(LOG_DEBUG));
    EXPECT(!log_is_on(LOG_INFO));
    EXPECT(log_is_on(LOG_WARN));
    EXPECT(log_is_on(LOG_ERROR));
    log_line(LOG_INFO, "id", "not written", NULL);
    log_line(LOG_ERROR, "id", "written", NULL);
    EXPECT_SLICE(after_instant(finish()), SLICE("ERROR id written\n"));
}

TEST(cuts_long_values_between_characters)
{
    static char text[10001];

    for (size_t i = 0; i < 10000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[0] = text[1] = 'x'; /* even */
    start(LOG_INFO, false);
    log_line(LOG_INFO, "id", "w", "k", text, NULL);
    struct slice line = finish();
    EXPECT_EQ(line.len, 25 + sizeof("INFO  id w k=\"") - 1 + 4096 + sizeof("...\"\n") - 1);

    start(LOG_INFO, true);
    log_line(LOG_INFO, "id", text + 1, NULL); /* odd: the border is within a character */
    line = finish();
    EXPECT(line.len > 4095 && memcmp(line.data + line.len - 8, "\xc3\xa4...\"}\n", 8) == 0);
}

TEST(keeps_errno_and_survives_a_closed_stream)
{
    log_setup(&(struct log_options){.level = LOG_INFO, .fd = -1});
    errno = ENOENT;
    log_line(LOG_ERROR, "id", "lost", NULL);
    EXPECT_EQ(errno, ENOENT);
}

static void *write_lines(void *value)
{
    for (int i = 0; i < 100; i++)
        log_line(LOG_INFO, "id", "thread", "k", value, NULL);
    return NULL;
}

TEST(threads_do_not_mix_lines)
{
    static char aaaa[101], bbbb[101];
    pthread_t one, two;
    size_t lines = 0;

    memset(aaaa, 'a', 100);
    memset(bbbb, 'b', 100);
    start(LOG_INFO, false);
    EXPECT_EQ(pthread_create(&one, NULL, write_lines, aaaa), 0);
    EXPECT_EQ(pthread_create(&two, NULL, write_lines, bbbb), 0);
    pthread_join(one, NULL);
    pthread_join(two, NULL);

    struct slice rest = finish();
    size_t line_len = 25 + sizeof("INFO  id thread k=") - 1 + 100 + 1;
    EXPECT_EQ(rest.len, 200 * line_len);
    for (; rest.len >= line_len; rest = slice_make(rest.data + line_len, rest.len - line_len)) {
        const char *value = rest.data + line_len - 101;
        EXPECT(memcmp(value, aaaa, 100) == 0 || memcmp(value, bbbb, 100) == 0);
        EXPECT_EQ(rest.data[line_len - 1], '\n');
        lines++;
    }
    EXPECT_EQ(lines, 200);
}

static char taken[1000];

static void take(struct slice line)
{
    size_t len = strlen(taken);

    snprintf(taken + len, sizeof(taken) - len, "%.*s", (int)line.len, line.data);
}

TEST(lines_are_handed_to_somebody_instead)
{
    start(LOG_INFO, false);
    log_divert(take);
    log_line(LOG_INFO, "first", "words", "key", "value", NULL);
    log_line(LOG_DEBUG, "second", "not of this level", NULL);
    log_divert(NULL);
    log_line(LOG_INFO, "third", "words", NULL);
    EXPECT_SLICE(after_instant(slice_of(taken)), SLICE("INFO  first words key=value\n"));
    EXPECT_SLICE(after_instant(finish()), SLICE("INFO  third words\n"));
}
