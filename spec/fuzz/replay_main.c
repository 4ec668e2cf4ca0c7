/* replay_main.c -- feeds files to a fuzz target: the corpus as an ordinary test.
 *
 *   fuzz_NAME FOLDER-OR-FILE...
 *
 * Each file is read into memory of exactly its length, so that a sanitizer sees
 * every step beyond it. A folder without files is a mistake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *current = "(none)"; /* the file at hand, for whoever reads the log of a crash */

static NO_RETURN void fail(const char *path, const char *words)
{
    (void)fprintf(stderr, "replay: %s: %s\n", path, words);
    exit(EXIT_FAILURE);
}

static void replay_file(const char *path, size_t len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = mem_alloc(len);

    if (file == NULL)
        fail(path, strerror(errno));
    if (fread(data, 1, len, file) != len)
        fail(path, "is shorter than its length says");
    (void)fclose(file);
    current = path;
    (void)LLVMFuzzerTestOneInput(data, len);
    mem_free(data);
}

/* Returns how many files were fed. */
static unsigned replay(const char *path)
{
    struct stat info;
    struct dirent **names;
    unsigned fed = 0;
    int count;

    if (stat(path, &info) != 0)
        fail(path, strerror(errno));
    if (!S_ISDIR(info.st_mode)) {
        replay_file(path, (size_t)info.st_size);
        return 1;
    }
    count = scandir(path, &names, NULL, alphasort);
    if (count < 0)
        fail(path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char below[4096];

        (void)snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            fed += replay(below);
        free(names[i]);
    }
    free(names);
    return fed;
}

static void on_abort(int signal)
{
    static const char words[] = "\nreplay: that was while feeding the file above\n";

    (void)signal;
    if (write(STDERR_FILENO, current, strlen(current)) < 0 ||
        write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
        _exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    unsigned fed = 0;

    (void)signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++)
        fed += replay(argv[i]);
    if (fed == 0)
        fail(argc < 2 ? "(no argument)" : argv[1], "there is no file to feed");
    printf("%u inputs\n", fed);
    return EXIT_SUCCESS;
}
