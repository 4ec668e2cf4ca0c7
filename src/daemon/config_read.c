/* config_read.c -- from a file to a tree.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/config.h"
#include "daemon/lua_file.h"
#include "daemon/nexus_json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_LEN (16u << 20)

/* The whole file and a NUL byte behind it; false with an error in the report. */
static bool read_open(int fd, struct arena *arena, struct report *report, struct slice *text)
{
    struct stat info;

    if (fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
        report_error(report, 0, "cannot read: it is a folder");
        return false;
    }
    size_t cap = 1 << 16, len = 0;
    char *bytes = arena_alloc(arena, cap + 1);
    for (;;) {
        ssize_t got = read(fd, bytes + len, cap - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            report_error(report, 0, "cannot read: %s", strerror(errno));
            return false;
        }
        len += (size_t)got;
        if (got == 0 || cap >= MAX_FILE_LEN)
            break;
        if (len == cap) {
            char *larger = arena_alloc(arena, cap * 2 + 1);
            memcpy(larger, bytes, len);
            bytes = larger;
            cap *= 2;
        }
    }
    bytes[len] = '\0';
    *text = slice_make(bytes, len);
    if (cap >= MAX_FILE_LEN)
        report_error(report, 0, "longer than %u MiB", MAX_FILE_LEN >> 21);
    return cap < MAX_FILE_LEN;
}

static bool is_json(const char *path)
{
    size_t len = strlen(path);

    return len >= 5 && strcmp(path + len - 5, ".json") == 0;
}

struct node *config_read(const char *path, struct arena *arena, struct report *report)
{
    struct slice text;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        report_error(report, 0, "cannot read: %s", strerror(errno));
        return NULL;
    }
    bool is_read = read_open(fd, arena, report, &text);
    close(fd);
    if (!is_read)
        return NULL;
    if (!is_json(path))
        return lua_file_read(text, arena, report);
    const struct node *json = json_file_read(text, arena, report);
    return json == NULL ? NULL : nexus_json_convert(json, arena, report);
}
