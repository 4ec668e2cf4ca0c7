/* policy_new.c -- see policy_new.h. What is written is in the folder template, and policy/types.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/policy_new.h"

#include "base/base.h"
#include "daemon/exit_code.h"
#include "daemon/template.h"
#include "policy/types.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char policy_new_more[] =
    "  nexusd policy new DIR\n"
    "\n"
    "Writes a policy, a spec for it, and settings for editors and luacheck, into a folder that is\n"
    "empty or is not there yet. Afterwards: nexusd check DIR, nexusd test DIR.\n";

/* Files that are hidden have no dot in the template. */
static const struct {
    const char *path, *written;
} names[] = {{"luarc.json", ".luarc.json"}, {"luacheckrc", ".luacheckrc"}};

static const char *const folders[] = {"spec", ".types"};

static int fail(const char *path, const char *words)
{
    fprintf(stderr, "nexusd policy: %s: %s\n", path, words);
    return EXIT_RUNTIME;
}

/* NULL: it is there, and empty. */
static const char *make_empty(const char *path)
{
    const struct dirent *entry;
    const char *words = NULL;
    DIR *folder;

    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return strerror(errno);
    folder = opendir(path);
    if (folder == NULL)
        return strerror(errno);
    while (words == NULL && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            words = "the folder is not empty";
    }
    closedir(folder);
    return words;
}

/* NULL, or what is wrong. Nothing that is there is written over. */
static const char *write_file(int folder, const char *path, const void *text, size_t len)
{
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    ssize_t written;
    int err;

    if (fd < 0)
        return strerror(errno);
    written = write(fd, text, len);
    err = written < 0 ? errno : written == (ssize_t)len ? 0 : ENOSPC;
    if (close(fd) != 0 && err == 0)
        err = errno;
    return err == 0 ? NULL : strerror(err);
}

static const char *write_types(int folder)
{
    struct writer out;
    const char *words;

    writer_init(&out, 32768);
    types_write(&out);
    words = write_file(folder, ".types/nexus.lua", writer_slice(&out).data, out.len);
    writer_fini(&out);
    return words;
}

static const char *name_of(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i].path, path) == 0)
            return names[i].written;
    }
    return path;
}

static const char *write_all(int folder)
{
    const char *words = NULL;

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        if (mkdirat(folder, folders[i], 0777) != 0)
            return strerror(errno);
    }
    for (const struct embedded *file = template_files; file->path != NULL && words == NULL; file++)
        words = write_file(folder, name_of(file->path), file->text, file->len);
    return words == NULL ? write_types(folder) : words;
}

int policy_new_run(const struct command_line *line)
{
    const char *path = line->arguments[1], *words;
    int folder;

    if (strcmp(line->arguments[0], "new") != 0)
        return command_usage(line->command, "found \"%s\"; allowed: \"new\"", line->arguments[0]);
    words = make_empty(path);
    if (words != NULL)
        return fail(path, words);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail(path, strerror(errno));
    words = write_all(folder);
    close(folder);
    if (words != NULL)
        return fail(path, words);
    printf("%s: a policy; nexusd check %s, nexusd test %s\n", path, path, path);
    return EXIT_OK;
}
