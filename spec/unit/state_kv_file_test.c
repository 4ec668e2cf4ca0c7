/* state_kv_file_test.c -- stores that persist: what a file gives back, after a kill too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/err.h"
#include "base/log.h"
#include "state_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

static char folder[] = "/tmp/nexus-state-XXXXXX";
static bool has_folder;
static const struct kv_store_options persistent = {.persists = KV_YES};

/* One folder for the program, emptied by each test. */
static void clear_folder(void)
{
    char command[100];

    if (!has_folder)
        EXPECT(mkdtemp(folder) != NULL);
    has_folder = true;
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    EXPECT_EQ(system(command), 0);
}

__attribute__((destructor)) static void remove_folder(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (has_folder)
        (void)!system(command);
}

static struct kv_space *space_of(const char *realm)
{
    return kv_space_new(&(struct kv_space_options){.realm = realm, .folder = folder});
}

static const char *path_of(const char *file)
{
    static char path[200];

    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

TEST(a_store_is_there_again)
{
    struct kv_space *space;
    struct kv_store *store;
    struct stat facts;

    clear_folder();
    space = space_of("com.acme");
    store = kit_store(space, "users", persistent);
    EXPECT(kit_store(space, "others", persistent) != NULL);
    EXPECT_EQ(kit_set(store, "a", "one", 0, 0), 0);
    EXPECT_EQ(kit_set(store, "b", "two", 0, 0), 0);
    EXPECT_EQ(kit_set(kit_store(space, "others", persistent), "a", "other", 0, 0), 0);
    EXPECT_EQ(kv_space_flush(space, &kit_error), 0);
    EXPECT_EQ(kit_set(store, "a", "", 0, 0), 0);
    EXPECT_EQ(kit_delete(store, "b", 0), 0);
    EXPECT_EQ(kit_set(store, "c", "gone", 0, 0), 0);
    EXPECT_EQ(kit_delete(store, "c", 0), 0);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    EXPECT(stat(path_of("com.acme.kv"), &facts) == 0 && (facts.st_mode & 077) == 0);

    space = space_of("com.acme");
    store = kit_store(space, "users", persistent);
    EXPECT_EQ(kv_size(store, 0), 1);
    EXPECT_STR(kit_get(store, "a", 0), "");
    EXPECT_STR(kit_get(kit_store(space, "others", persistent), "a", 0), "other");
    EXPECT_EQ(kit_delete(store, "a", 0), 0); /* what came from the file goes from it */
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);

    space = space_of("com.acme");
    EXPECT_EQ(kv_size(kit_store(space, "users", persistent), 0), 0);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

TEST(a_key_that_came_back_is_there_again)
{
    clear_folder();
    for (unsigned round = 0; round < 3; round++) {
        struct kv_space *space = space_of("r");
        struct kv_store *store = kit_store(space, "s", persistent);

        if (round != 0)
            EXPECT_STR(kit_get(store, "a", 0), "back");
        EXPECT_EQ(kit_set(store, "a", "first", 0, 0), 0);
        if (round == 1)
            EXPECT_EQ(kv_space_flush(space, &kit_error), 0);
        EXPECT_EQ(kit_delete(store, "a", 0), 0);
        EXPECT_EQ(kit_set(store, "a", "back", 0, 0), 0);
        EXPECT_EQ(kit_delete(store, "a", 0), 0);
        EXPECT_EQ(kit_set(store, "a", "back", 0, 0), 0);
        EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    }
}

TEST(expiry_goes_on_by_the_wall)
{
    struct kv_space *space;
    struct kv_store *store;
    struct kv_time later = {77, KIT_WALL + 600}; /* the other clock began anew */

    clear_folder();
    space = space_of("r");
    store = kit_store(space, "s", persistent);
    EXPECT_EQ(kit_set(store, "short", "x", 500, 0), 0);
    EXPECT_EQ(kit_set(store, "long", "x", 1000, 0), 0);
    EXPECT_EQ(kit_set(store, "ever", "x", 0, 0), 0);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);

    space = space_of("r");
    store = kv_open(space, SLICE("s"), &persistent, later, &kit_error);
    EXPECT_EQ(kv_size(store, later.now), 2);
    EXPECT(kit_get(store, "long", later.now + 399) != NULL);
    EXPECT(kit_get(store, "long", later.now + 400) == NULL);
    EXPECT(kit_get(store, "ever", later.now + 400) != NULL);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

TEST(names_of_realms_are_names_of_files)
{
    static const char *const names[][2] = {{"a/b", "a%2Fb.kv"},
                                           {"..", "%2E..kv"},
                                           {"@router", "%40router.kv"},
                                           {"A-b_c.9", "A-b_c.9.kv"}};
    char longest[1000];

    clear_folder();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct kv_space *space = space_of(names[i][0]);

        EXPECT(kit_store(space, "s", persistent) != NULL);
        EXPECT_EQ(access(path_of(names[i][1]), F_OK), 0);
        EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    }
    memset(longest, 'x', sizeof longest);
    for (size_t len = 190; len < 210; len += 15) { /* two would become one, if it were cut */
        struct kv_space *space;

        longest[len] = '\0';
        space = space_of(longest);
        longest[len] = 'x';
        EXPECT((kit_store(space, "s", persistent) != NULL) == (len < 200));
        if (len >= 200)
            EXPECT_STR(kit_error.words,
                       "the name of the realm is too long for a file, so no store can persist");
        EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    }
}

TEST(persisting_is_not_changed_while_a_store_is_open)
{
    struct kv_space *space;

    clear_folder();
    space = space_of("r");
    EXPECT(kit_store(space, "s", (struct kv_store_options){0}) != NULL);
    EXPECT(kit_store(space, "s", persistent) == NULL);
    EXPECT_STR(kit_error.words, "the store \"s\" is open with persist = false, and keeps that as "
                                "long as the router runs");
    EXPECT(kit_store(space, "t", persistent) != NULL);
    EXPECT(kit_store(space, "t", (struct kv_store_options){0}) != NULL);
    EXPECT(kit_store(space, "t", (struct kv_store_options){.persists = KV_NO}) == NULL);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);

    space = kv_space_new(&(struct kv_space_options){.realm = "r"});
    EXPECT(kit_store(space, "s", persistent) == NULL);
    EXPECT_STR(kit_error.words,
               "the store \"s\" cannot persist: the configuration has no data_folder");
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

/* ---- files that are not good ---- */

static void expect_refusal(const char *words)
{
    struct kv_space *space = space_of("r");
    char expected[300];

    EXPECT(kit_store(space, "s", persistent) == NULL);
    snprintf(expected, sizeof expected, "%s/r.kv: %s", folder, words);
    if (strncmp(kit_error.words, expected, strlen(expected)) != 0)
        UNIT_FAIL("said \"%s\", expected \"%s\"", kit_error.words, expected);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

static void write_file(const char *file, const char *text)
{
    int fd = open(path_of(file), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void run_sql(const char *file, const char *sql)
{
    sqlite3 *db = NULL;

    EXPECT_EQ(sqlite3_open(path_of(file), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

TEST(a_file_of_something_else_is_refused_and_left_alone)
{
    char text[40] = "";
    int fd;

    clear_folder();
    write_file("r.kv", "This is a letter to my aunt, of some length.");
    expect_refusal("cannot read: file is not a database");
    fd = open(path_of("r.kv"), O_RDONLY);
    EXPECT(fd >= 0 && read(fd, text, 16) == 16 && close(fd) == 0);
    EXPECT_STR(text, "This is a letter");

    clear_folder();
    run_sql("r.kv", "CREATE TABLE people (name)");
    expect_refusal("this is no file of stores");

    clear_folder();
    run_sql("r.kv", "PRAGMA application_id = 1853385590; PRAGMA user_version = 9");
    expect_refusal("written by another version of nexus (layout 9, not 1)");
}

TEST(a_damaged_file_is_refused)
{
    struct kv_space *space;
    struct kv_store *store;
    char key[20], garbage[3000];
    int fd;

    clear_folder();
    space = space_of("r");
    store = kit_store(space, "s", persistent);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        EXPECT_EQ(kit_set(store, key, "some value that takes room", 0, 0), 0);
    }
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    memset(garbage, 0xAB, sizeof garbage);
    fd = open(path_of("r.kv"), O_WRONLY);
    EXPECT(fd >= 0 && pwrite(fd, garbage, sizeof garbage, 4096L * 5) == sizeof garbage &&
           close(fd) == 0);
    expect_refusal("the file is damaged: ");
}

TEST(two_routers_do_not_share_a_file)
{
    struct kv_space *space;

    clear_folder();
    space = space_of("r");
    EXPECT(kit_store(space, "s", persistent) != NULL);
    expect_refusal("cannot read: database is locked");
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

TEST(a_folder_that_cannot_be_is_named)
{
    struct kv_space *space;
    char missing[100], expected[200];

    clear_folder();
    snprintf(missing, sizeof missing, "%s/a/b", folder);
    space = kv_space_new(&(struct kv_space_options){.realm = "r", .folder = missing});
    EXPECT(kit_store(space, "s", persistent) == NULL);
    snprintf(expected, sizeof expected, "%s: cannot make the folder: No such file or directory",
             missing);
    EXPECT_STR(kit_error.words, expected);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

TEST(a_file_with_more_than_the_bound_is_an_error_or_evicted)
{
    struct kv_space *space;
    struct kv_store_options options = persistent;

    clear_folder();
    space = space_of("r");
    EXPECT_EQ(kit_set(kit_store(space, "s", persistent), "a", "1", 0, 0), 0);
    EXPECT_EQ(kit_set(kit_store(space, "s", persistent), "b", "1", 0, 0), 0);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);

    space = space_of("r");
    options.max_entries = 1;
    EXPECT(kit_store(space, "s", options) == NULL);
    EXPECT_STR(kit_error.words, "the store \"s\" is full: max_entries of the store is 1");
    options.evicts = KV_YES;
    EXPECT_EQ(kv_size(kit_store(space, "s", options), 0), 1);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);

    space = space_of("r");
    EXPECT_EQ(kv_size(kit_store(space, "s", persistent), 0), 1);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}

/* ---- a kill ---- */

/* Writes as fast as it can, and says up to which number all is on disk. */
static void write_until_killed(int to)
{
    struct kv_space *space = space_of("r");
    struct kv_store *store = kit_store(space, "s", persistent);

    for (uint32_t i = 1;; i++) {
        char key[20];

        snprintf(key, sizeof key, "k%u", i % 5000);
        if (kit_set(store, key, "value", 0, 0) != 0)
            _exit(1);
        snprintf(key, sizeof key, "d%u", i - 1);
        (void)kit_delete(store, key, 0);
        snprintf(key, sizeof key, "d%u", i);
        if (kit_set(store, key, "value", 0, 0) != 0)
            _exit(1);
        if (i % 777 == 0 &&
            (kv_space_flush(space, &kit_error) != 0 || write(to, &i, sizeof i) != sizeof i))
            _exit(1);
    }
}

static uint32_t kill_a_writer(unsigned after)
{
    uint32_t flushed = 0;
    int ends[2], status = 0;
    pid_t child;

    EXPECT_EQ(pipe(ends), 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(ends[0]);
        write_until_killed(ends[1]);
    }
    close(ends[1]);
    for (unsigned i = 0; i < after; i++)
        EXPECT_EQ(read(ends[0], &flushed, sizeof flushed), sizeof flushed);
    usleep(1000 * after); /* somewhere in the next batch */
    kill(child, SIGKILL);
    for (uint32_t more; read(ends[0], &more, sizeof more) == sizeof more;)
        flushed = more;
    close(ends[0]);
    waitpid(child, &status, 0);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return flushed;
}

TEST(a_kill_takes_the_last_batch_at_most)
{
    for (unsigned round = 1; round <= 8; round++) {
        struct kv_space *space;
        struct kv_store *store;
        uint32_t flushed, missing = 0, risen = 0;
        char key[20];

        clear_folder();
        flushed = kill_a_writer(round);
        space = space_of("r");
        store = kit_store(space, "s", persistent);
        if (store == NULL)
            UNIT_FAIL("round %u: %s", round, kit_error.words);
        for (uint32_t i = 1; store != NULL && i <= flushed; i++) {
            snprintf(key, sizeof key, "k%u", i % 5000);
            missing += kit_get(store, key, 0) == NULL;
        }
        EXPECT_EQ(missing, 0);
        for (uint32_t i = 1; store != NULL && i < flushed; i++) {
            snprintf(key, sizeof key, "d%u", i);
            risen += kit_get(store, key, 0) != NULL;
        }
        EXPECT_EQ(risen, 0);
        EXPECT(store != NULL && kv_is_sound(store));
        EXPECT_EQ(kv_space_close(space, &kit_error), 0);
    }
}

/* A disk that is full. */
static void bound_files(rlim_t len)
{
    struct rlimit limit;

    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = len < limit.rlim_max ? len : limit.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(what_cannot_be_written_is_said_and_tried_again)
{
    struct kv_error error = {""};
    struct kv_space *space;
    struct kv_store *store;
    char key[20], path[200];
    unsigned found = 0;

    clear_folder();
    signal(SIGXFSZ, SIG_IGN);
    log_setup(&(struct log_options){.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY)});
    space = space_of("r");
    store = kit_store(space, "s", persistent);
    EXPECT_EQ(kit_set(store, "gone", "x", 0, 0), 0);
    EXPECT_EQ(kv_space_flush(space, &error), 0);
    bound_files(60000);
    EXPECT_EQ(kit_delete(store, "gone", 0), 0);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        EXPECT_EQ(kit_set(store, key, "a value of thirty octets or so", 0, 0), 0);
    }
    EXPECT_EQ(kv_space_flush(space, &error), ERR_IO);
    snprintf(path, sizeof path, "%s/r.kv: cannot write: ", folder);
    EXPECT(strncmp(error.words, path, strlen(path)) == 0);
    EXPECT_EQ(kv_size(store, 0), 5000); /* it goes on */
    bound_files(RLIM_INFINITY);
    EXPECT_EQ(kv_space_flush(space, &error), 0);
    EXPECT_EQ(kv_space_close(space, &error), 0);
    space = space_of("r");
    store = kit_store(space, "s", persistent);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        found += kit_get(store, key, 0) != NULL;
    }
    EXPECT_EQ(found, 5000);
    EXPECT(kit_get(store, "gone", 0) == NULL);
    EXPECT_EQ(kv_space_close(space, &error), 0);
}

TEST(what_nobody_flushes_is_written_soon)
{
    struct kv_space *space;
    struct kv_store *store;
    sqlite3_int64 len = 0;

    clear_folder();
    space = space_of("r");
    store = kit_store(space, "s", persistent);
    EXPECT_EQ(kit_set(store, "a", "1", 0, 0), 0);
    for (unsigned i = 0; i < 100 && len == 0; i++) {
        struct stat facts = {0};

        usleep(20000 * KIT_SLOW / (KIT_SLOW > 1 ? 5 : 1));
        if (stat(path_of("r.kv-wal"), &facts) == 0)
            len = facts.st_size;
    }
    EXPECT(len > 0);
    EXPECT_EQ(kv_space_close(space, &kit_error), 0);
}
