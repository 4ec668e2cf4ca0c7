/* source.c -- see source.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "script/source.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/ready.h"

#include <openssl/evp.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY "policy.lua"
#define DATA  "settings.file.lua" /* no file of a folder has such a name */

struct source {
    atomic_uint refs;
    struct arena arena;   /* names and texts */
    const char **folders; /* owned array */
    size_t folder_count;
    struct source_file *files; /* owned */
    size_t count, total_len;
    size_t entry;
    const char *label, *folder;
    bool is_file; /* the entry was named, not the folder */
    char version[SOURCE_VERSION_LEN + 1];
};

static bool complain(char *words, const char *path, const char *what)
{
    snprintf(words, SOURCE_WORDS_LEN, "%s: %s", path, what);
    return false;
}

static char *join(struct arena *arena, const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    char *path = arena_alloc(arena, a_len + b_len + 2);

    memcpy(path, a, a_len);
    path[a_len] = '/';
    memcpy(path + a_len + 1, b, b_len + 1);
    return path;
}

static const char *add_end(struct arena *arena, const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    char *copy = arena_alloc(arena, len + end_len + 1);

    memcpy(copy, text, len);
    memcpy(copy + len, end, end_len + 1);
    return copy;
}

static const char *keep(struct arena *arena, const char *text)
{
    return arena_copy(arena, slice_make(text, strlen(text) + 1)).data;
}

/* ---- one file ---- */

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (len == 1) /* "/" */
        return true;
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bool read_all(int fd, char *into, size_t len)
{
    while (len != 0) {
        ssize_t got = read(fd, into, len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        into += got;
        len -= (size_t)got;
    }
    return true;
}

static void add_file(struct source *source, const char *name, const char *label, struct slice text)
{
    source->files = mem_grow(source->files, (source->count + 1) * sizeof(*source->files));
    source->files[source->count++] = (struct source_file){name, label, text};
}

static bool read_open(struct source *source, int fd, const char *name, const char *path,
                      char *words)
{
    struct stat info;
    char *text;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return complain(words, path, "is no file");
    if ((uint64_t)info.st_size > SOURCE_FILE_MAX)
        return complain(words, path, "is longer than 1 MiB");
    source->total_len += (size_t)info.st_size;
    if (source->total_len > SOURCE_TOTAL_MAX)
        return complain(words, path, "the files of the policy are longer than 16 MiB together");
    if (source->count == SOURCE_FILES_MAX)
        return complain(words, path, "the policy has more than 1000 files");
    text = arena_alloc(&source->arena, (size_t)info.st_size + 1);
    if (!read_all(fd, text, (size_t)info.st_size))
        return complain(words, path, "changed while it was read");
    add_file(source, keep(&source->arena, name), join(&source->arena, source->label, name),
             slice_make(text, (size_t)info.st_size));
    return true;
}

/* A link may lead to another place in the folder, and nowhere else. */
static bool read_file(struct source *source, const char *name, char *words)
{
    const char *path = join(&source->arena, source->folder, name);
    char real[PATH_MAX];
    bool is_read;
    int fd;

    if (realpath(path, real) == NULL)
        return complain(words, path, strerror(errno));
    if (!is_below(real, source->folder))
        return complain(words, path, "is a link to outside of the policy's folder");
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return complain(words, path, strerror(errno));
    is_read = read_open(source, fd, name, path, words);
    close(fd);
    return is_read;
}

/* ---- the folder ---- */

/* Whether `require` can name it: letters, digits and _, then ".lua" for a file. */
static bool is_part(const char *name, bool is_file)
{
    size_t len = strlen(name);

    if (is_file) {
        if (len < 5 || strcmp(name + len - 4, ".lua") != 0)
            return false;
        len -= 4;
    }
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return false;
    }
    return len != 0;
}

static bool read_folder(struct source *source, const char *below, int depth, char *words);

static bool read_entry(struct source *source, const char *below, const char *name, int depth,
                       char *words)
{
    const char *inner = *below == '\0' ? name : join(&source->arena, below, name);
    const char *path = join(&source->arena, source->folder, inner);
    char real[PATH_MAX];
    struct stat info;

    if (stat(path, &info) != 0)
        return !is_part(name, true) || complain(words, path, strerror(errno));
    if (S_ISREG(info.st_mode))
        return !is_part(name, true) || read_file(source, inner, words);
    if (!S_ISDIR(info.st_mode) || !is_part(name, false) ||
        (*below == '\0' && strcmp(name, "spec") == 0))
        return true;
    if (depth == SOURCE_DEPTH_MAX)
        return complain(words, path, "folders are nested deeper than 8");
    if (realpath(path, real) == NULL || !is_below(real, source->folder))
        return complain(words, path, "is a link to outside of the policy's folder");
    return read_folder(source, inner, depth + 1, words);
}

static bool read_folder(struct source *source, const char *below, int depth, char *words)
{
    const char *path =
        *below == '\0' ? source->folder : join(&source->arena, source->folder, below);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    bool is_fine = true;

    if (folder == NULL)
        return complain(words, path, strerror(errno));
    source->folders =
        mem_grow(source->folders, (source->folder_count + 1) * sizeof(*source->folders));
    source->folders[source->folder_count++] = path;
    while (is_fine && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            is_fine = read_entry(source, below, entry->d_name, depth, words);
    }
    closedir(folder);
    return is_fine;
}

/* ---- a file of data ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

bool source_is_data(const char *path)
{
    return ends_with(path, ".lua") || ends_with(path, ".json");
}

/* JSON becomes a chunk of Lua with the same lines: a long string with more signs than any in it. */
static struct slice wrap_json(struct source *source, struct slice text)
{
    static const char head[] = "return require \"nexus\".json.decode ";
    size_t level = 1, run = 0;
    struct slice chunk;
    char *at;

    for (size_t i = 0; i < text.len; i++) {
        run = text.data[i] == '=' ? run + 1 : 0;
        level = run >= level ? run + 1 : level;
    }
    at = arena_alloc(&source->arena, sizeof(head) + text.len + 2 * (level + 2));
    chunk = slice_make(at, sizeof(head) - 1 + text.len + 2 * (level + 2));
    memcpy(at, head, sizeof(head) - 1);
    at += sizeof(head) - 1;
    *at++ = '[';
    memset(at, '=', level);
    at += level;
    *at++ = '[';
    if (text.len != 0)
        memcpy(at, text.data, text.len);
    at += text.len;
    *at++ = ']';
    memset(at, '=', level);
    at[level] = ']';
    return chunk;
}

/* The folder of a path, to be watched, and "folder/file", for messages. */
static void name_data(struct source *source, const char *path, const char **folder,
                      const char **label)
{
    const char *slash = strrchr(path, '/'), *from = slash;
    size_t len;
    char *copy;

    *folder = ".";
    *label = keep(&source->arena, path);
    if (slash == NULL)
        return;
    while (from > path && from[-1] != '/')
        from--;
    *label = keep(&source->arena, from);
    len = slash == path ? 1 : (size_t)(slash - path);
    copy = arena_alloc(&source->arena, len + 1);
    memcpy(copy, path, len);
    copy[len] = '\0';
    *folder = copy;
}

static bool read_data(struct source *source, const char *path, char *words)
{
    const char *folder, *label;
    struct stat info;
    struct slice text;
    char *bytes;
    bool is_read;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return complain(words, path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (uint64_t)info.st_size > SOURCE_DATA_MAX) {
        close(fd);
        return complain(words, path, "is no file, or longer than 4 MiB");
    }
    bytes = arena_alloc(&source->arena, (size_t)info.st_size + 1);
    is_read = read_all(fd, bytes, (size_t)info.st_size);
    close(fd);
    if (!is_read)
        return complain(words, path, "changed while it was read");
    text = slice_make(bytes, (size_t)info.st_size);
    name_data(source, path, &folder, &label);
    source->folders =
        mem_grow(source->folders, (source->folder_count + 1) * sizeof(*source->folders));
    source->folders[source->folder_count++] = folder;
    add_file(source, DATA, label, ends_with(path, ".json") ? wrap_json(source, text) : text);
    return true;
}

/* ---- ready-made policies ---- */

bool source_mentions(struct slice text, const char *module)
{
    size_t len = strlen(module);
    const char *at = text.data, *end = text.data + text.len;

    while (at != NULL && at < end) {
        at = memmem(at, (size_t)(end - at), module, len);
        if (at == NULL)
            return false;
        at += len;
        if (at < end && (*at == '"' || *at == '\'' || *at == ']'))
            return true;
    }
    return false;
}

static bool has_file(const struct source *source, const char *name)
{
    for (size_t i = 0; i < source->count; i++) {
        if (strcmp(source->files[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool read_ready(struct source *source, const char *path, const char *name, char *words)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_read;

    if (fd < 0)
        return complain(words, path, strerror(errno));
    is_read = read_open(source, fd, name, path, words);
    close(fd);
    if (is_read)
        source->files[source->count - 1].label = source->files[source->count - 1].name;
    return is_read;
}

/* The ready-made policies that files require ("policies.users"), and those that these require. */
static bool read_all_ready(struct source *source, char *words)
{
    const char *ready;

    for (size_t at = 0; at < source->count; at++) {
        for (size_t i = 1; (ready = ready_name(i)) != NULL; i++) {
            char *module = join(&source->arena, "policies", ready);
            const char *name, *path;

            for (char *c = module; *c != '\0'; c++)
                if (*c == '-')
                    *c = '_';
            name = add_end(&source->arena, module, ".lua");
            module[sizeof("policies") - 1] = '.';
            if (!source_mentions(source->files[at].text, module) || has_file(source, name))
                continue;
            path = join(&source->arena, ready_path(ready, &source->arena), ENTRY);
            if (!read_ready(source, path, name, words))
                return false;
        }
    }
    return true;
}

/* ---- all together ---- */

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct source_file *)a)->name, ((const struct source_file *)b)->name);
}

static void hash(EVP_MD_CTX *sha, const void *data, size_t len)
{
    CHECK(EVP_DigestUpdate(sha, data, len) == 1);
}

/* Lengths go in as well: no two sets of files have the same text. */
static void set_version(struct source *source)
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    CHECK(sha != NULL && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < source->count; i++) {
        const struct source_file *file = &source->files[i];
        char head[32];

        snprintf(head, sizeof(head), "%zu ", file->text.len);
        hash(sha, file->name, strlen(file->name) + 1);
        hash(sha, head, strlen(head));
        hash(sha, file->text.data, file->text.len);
    }
    CHECK(EVP_DigestFinal_ex(sha, sum, &len) == 1 && len * 2 == SOURCE_VERSION_LEN);
    EVP_MD_CTX_free(sha);
    for (unsigned i = 0; i < len; i++)
        snprintf(source->version + 2 * (size_t)i, 3, "%02x", sum[i]);
}

static bool finish(struct source *source, const char *entry)
{
    qsort(source->files, source->count, sizeof(*source->files), compare_files);
    set_version(source);
    for (source->entry = 0; source->entry < source->count; source->entry++) {
        if (strcmp(source->files[source->entry].name, entry) == 0)
            return true;
    }
    return false;
}

static struct source *source_new(void)
{
    struct source *source = mem_zero(1, sizeof(*source));

    atomic_init(&source->refs, 1);
    arena_init(&source->arena);
    return source;
}

/* Splits what the configuration names into folder and entry. */
static bool set_folder(struct source *source, const char *path, const char **entry, char *words)
{
    char real[PATH_MAX];
    struct stat info;
    char *slash;

    *entry = ENTRY;
    if (access(path, F_OK) != 0 && ready_path(path, &source->arena) != NULL)
        path = ready_path(path, &source->arena);
    if (realpath(path, real) == NULL || stat(real, &info) != 0)
        return complain(words, path, strerror(errno));
    source->is_file = !S_ISDIR(info.st_mode);
    if (source->is_file) {
        slash = strrchr(real, '/');
        *entry = keep(&source->arena, slash + 1);
        if (!is_part(*entry, true))
            return complain(words, path, "a policy's name is letters, digits and _, then .lua");
        *(slash == real ? slash + 1 : slash) = '\0';
    }
    source->folder = keep(&source->arena, real);
    slash = strrchr(real, '/');
    source->label = keep(&source->arena, slash + 1);
    return true;
}

struct source *source_read(const char *path, char words[SOURCE_WORDS_LEN])
{
    return source_read_with(path, NULL, words);
}

struct source *source_read_with(const char *path, const char *data_path,
                                char words[SOURCE_WORDS_LEN])
{
    struct source *source = source_new();
    const char *entry;

    if (!set_folder(source, path, &entry, words) || !read_folder(source, "", 0, words) ||
        (data_path != NULL && !read_data(source, data_path, words)) ||
        !read_all_ready(source, words)) {
        source_drop(source);
        return NULL;
    }
    if (!finish(source, entry)) {
        complain(words, path, "there is no policy.lua in this folder");
        source_drop(source);
        return NULL;
    }
    return source;
}

struct source *source_of_text(const char *label, struct slice text)
{
    struct source *source = source_new();
    const char *slash = strrchr(label, '/');

    source->files = mem_zero(1, sizeof(*source->files));
    source->count = 1;
    source->files[0] = (struct source_file){
        .name = keep(&source->arena, slash == NULL ? label : slash + 1),
        .label = keep(&source->arena, label),
        .text = arena_copy(&source->arena, text),
    };
    source->label = slash == NULL ? "." : arena_copy(&source->arena, slice_of(label)).data;
    if (slash != NULL) {
        struct slice folder = slice_make(label, (size_t)(slash - label));
        char *copy = arena_alloc(&source->arena, folder.len + 1);

        memcpy(copy, folder.data, folder.len);
        copy[folder.len] = '\0';
        source->label = copy;
    }
    set_version(source);
    return source;
}

struct source *source_hold(struct source *source)
{
    atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

void source_drop(struct source *source)
{
    if (source == NULL || atomic_fetch_sub(&source->refs, 1) != 1)
        return;
    mem_free(source->files);
    mem_free(source->folders);
    arena_fini(&source->arena);
    mem_free(source);
}

const struct source_file *source_entry(const struct source *source)
{
    return &source->files[source->entry];
}

const struct source_file *source_module(const struct source *source, const char *module)
{
    size_t len = strlen(module);

    for (size_t i = 0; source != NULL && i < source->count; i++) {
        const char *name = source->files[i].name;
        size_t at = 0;

        while (at < len && (name[at] == module[at] || (name[at] == '/' && module[at] == '.')))
            at++;
        if (at == len && strcmp(name + len, ".lua") == 0)
            return &source->files[i];
    }
    return NULL;
}

const struct source_file *source_data(const struct source *source)
{
    for (size_t i = 0; i < source->count; i++) {
        if (strcmp(source->files[i].name, DATA) == 0)
            return &source->files[i];
    }
    return NULL;
}

size_t source_count(const struct source *source)
{
    return source->count;
}

const struct source_file *source_at(const struct source *source, size_t i)
{
    CHECK(i < source->count);
    return &source->files[i];
}

const char *source_folder_at(const struct source *source, size_t i)
{
    return i < source->folder_count ? source->folders[i] : NULL;
}

bool source_is_file(const struct source *source)
{
    return source->is_file;
}

const char *source_label(const struct source *source)
{
    return source->label;
}

const char *source_folder(const struct source *source)
{
    return source->folder;
}

const char *source_version(const struct source *source)
{
    return source->version;
}
