/* audit_test.c -- the audit log: lines, the file that moves away, the disk that stands still.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/audit.h"
#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static char folder[64], path[80], words[256];
static char text[1 << 16];

static void open_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/nexus-audit.XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/audit", folder);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static struct slice read_file(const char *name)
{
    FILE *file = fopen(name, "r");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);

    text[len] = '\0';
    if (file != NULL)
        fclose(file);
    return slice_make(text, len);
}

static void write_line(const char *event, const char *value)
{
    struct audit_line line;

    audit_begin(&line, event);
    audit_text(&line, "value", slice_of(value));
    audit_end(&line);
}

/* What follows `{"ts":"...Z"`. */
static const char *after_instant(const char *line)
{
    EXPECT(strncmp(line, "{\"ts\":\"", 7) == 0);
    EXPECT(strlen(line) > 32 && strncmp(line + 30, "Z\"", 2) == 0);
    return strlen(line) > 32 ? line + 32 : line;
}

TEST(writes_lines_of_json)
{
    struct audit_line line;

    open_folder();
    EXPECT(!audit_is_on());
    EXPECT_EQ(audit_open(path, words, sizeof words), 0);
    EXPECT(audit_is_on());
    audit_begin(&line, "join");
    audit_text(&line, "authid", SLICE("a\"b\\c\n\xff\xe2\x80\xa8"));
    audit_text(&line, "none", (struct slice){0});
    audit_number(&line, "session", UINT64_C(9007199254740992));
    audit_end(&line);
    audit_close();
    EXPECT(!audit_is_on());
    read_file(path);
    EXPECT_STR(after_instant(text),
               ",\"event\":\"join\",\"authid\":\"a\\\"b\\\\c\\n\xef\xbf\xbd\\u2028\","
               "\"session\":9007199254740992}\n");
    remove_folder();
}

TEST(cuts_what_is_too_long)
{
    static char value[5000];
    struct slice all;

    open_folder();
    memset(value, 'x', sizeof value - 1);
    EXPECT_EQ(audit_open(path, words, sizeof words), 0);
    write_line("long", value);
    audit_close();
    all = read_file(path);
    EXPECT(all.len > 4096 && all.len < 4200);
    EXPECT(strstr(text, "xxx...\"}\n") != NULL);
    remove_folder();
}

TEST(keeps_what_is_in_the_file)
{
    open_folder();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(audit_open(path, words, sizeof words), 0);
        write_line("again", "x");
        audit_close();
    }
    EXPECT_EQ(read_file(path).len % 3, 0U);
    EXPECT(strstr(text, "}\n{") != NULL);
    remove_folder();
}

static bool has_file(const char *name)
{
    struct stat facts;

    return stat(name, &facts) == 0;
}

TEST(begins_a_new_file_when_the_old_one_was_moved)
{
    char old[96];

    open_folder();
    (void)snprintf(old, sizeof old, "%s.1", path);
    EXPECT_EQ(audit_open(path, words, sizeof words), 0);
    write_line("first", "x");
    for (int i = 0; i < 2000 && read_file(path).len == 0; i++)
        usleep(1000);
    EXPECT_EQ(rename(path, old), 0);
    audit_reopen();
    for (int i = 0; i < 2000 && !has_file(path); i++)
        usleep(1000);
    write_line("second", "x");
    audit_close();
    read_file(old);
    EXPECT(strstr(text, "first") != NULL && strstr(text, "second") == NULL);
    read_file(path);
    EXPECT(strstr(text, "second") != NULL && strstr(text, "first") == NULL);
    unlink(old);
    remove_folder();
}

TEST(says_why_a_file_cannot_be_opened)
{
    EXPECT(audit_open("/nowhere/at/all", words, sizeof words) != 0);
    EXPECT_STR(words, "cannot open the audit file \"/nowhere/at/all\": No such file or directory");
    EXPECT(!audit_is_on());
}

TEST(goes_where_the_log_goes)
{
    int ends[2];
    ssize_t len;

    EXPECT_EQ(pipe(ends), 0);
    log_setup(&(struct log_options){.level = LOG_ERROR, .json = true, .fd = ends[1]});
    EXPECT_EQ(audit_open("log", words, sizeof words), 0);
    audit_reload("tls", NULL, NULL, "SIGHUP", "no \"cert\"");
    audit_close();
    log_setup(&(struct log_options){.level = LOG_INFO, .fd = 2});
    len = read(ends[0], text, sizeof text - 1);
    text[len < 0 ? 0 : len] = '\0';
    EXPECT_STR(after_instant(text), ",\"event\":\"reload\",\"what\":\"tls\",\"by\":\"SIGHUP\","
                                    "\"result\":\"failed\",\"error\":\"no \\\"cert\\\"\"}\n");
    close(ends[0]);
    close(ends[1]);
}

struct reading {
    int fd;
    uint64_t written, lost; /* lines */
};

/* Reads all that comes through a pipe. */
static void *count_lines(void *ctx)
{
    struct reading *reading = ctx;
    FILE *file = fdopen(reading->fd, "r");
    char line[1000];

    while (fgets(line, sizeof line, file) != NULL) {
        const char *count = strstr(line, "\"event\":\"lost\",\"count\":");

        reading->lost += count == NULL ? 0 : strtoull(count + 23, NULL, 10);
        reading->written += count == NULL;
    }
    fclose(file);
    return NULL;
}

/* A reader that reads nothing at first: the thread stands still, and nobody waits for it. */
TEST(never_waits_for_a_slow_disk_and_counts_what_is_lost)
{
    enum { LINES = 100000 };
    struct reading reading = {0};
    pthread_t thread;

    open_folder();
    EXPECT_EQ(mkfifo(path, 0600), 0);
    reading.fd = open(path, O_RDONLY | O_NONBLOCK);
    EXPECT(reading.fd >= 0);
    EXPECT_EQ(audit_open(path, words, sizeof words), 0);
    log_setup(&(struct log_options){.level = LOG_ERROR, .fd = 2});
    alarm(20);
    for (int i = 0; i < LINES; i++)
        write_line("flood", "some text that makes a line of about eighty octets");
    alarm(0);
    EXPECT_EQ(fcntl(reading.fd, F_SETFL, 0), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, count_lines, &reading), 0);
    audit_close();
    pthread_join(thread, NULL);
    EXPECT(reading.lost > 0);
    EXPECT_EQ(reading.written + reading.lost, (uint64_t)LINES);
    log_setup(&(struct log_options){.level = LOG_INFO, .fd = 2});
    remove_folder();
}
