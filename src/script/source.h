/* source.h -- the files of a policy, read once.
 *
 * A policy is a folder with an entry, policy.lua, or a file that is the entry
 * itself; either way the Lua files below its folder are its modules. All are read
 * before any of it runs, so that what runs is what the version names. Hidden
 * files, the folder spec and files that no `require` could name are left out.
 *
 * A file that is a link to outside of the folder is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_SCRIPT_SOURCE_H
#define NEXUS_SCRIPT_SOURCE_H

#include "base/slice.h"

/* What keeps a mistaken path ("/home") from being read whole. */
#define SOURCE_FILE_MAX  ((size_t)1024 * 1024)
#define SOURCE_TOTAL_MAX ((size_t)16 * 1024 * 1024)
#define SOURCE_DATA_MAX  ((size_t)4 * 1024 * 1024)
#define SOURCE_FILES_MAX 1000
#define SOURCE_DEPTH_MAX 8

#define SOURCE_VERSION_LEN 64 /* hexadecimal digits of a SHA-256 */
#define SOURCE_WORDS_LEN   512

struct source_file {
    const char *name;  /* "lib/tokens.lua" */
    const char *label; /* "acme/lib/tokens.lua", as messages have it */
    struct slice text;
};

struct source;

/* Reads a policy. NULL: words say what is wrong, and with which file. */
struct source *source_read(const char *path, char words[SOURCE_WORDS_LEN]) MUST_CHECK;

/* The same with a file of data from anywhere (NULL: none), Lua or JSON by its name. It is one of the
 * policy's files then, and a module: `require "settings.file"`. */
struct source *source_read_with(const char *path, const char *data_path,
                                char words[SOURCE_WORDS_LEN]) MUST_CHECK;

/* Whether a name is one of a file of data: *.lua, *.json. */
bool source_is_data(const char *path);

/* The file of data, or NULL. */
const struct source_file *source_data(const struct source *source);

/* A policy of one text that is in no file; both are copied. */
struct source *source_of_text(const char *label, struct slice text);

/* Counted, since several states and versions may be made of one; the last one to drop it frees. From any
 * thread. NULL is fine for source_drop. */
struct source *source_hold(struct source *source);
void source_drop(struct source *source);

/* The folders that its files are in, the outermost first, absolute; NULL behind the last one. */
const char *source_folder_at(const struct source *source, size_t i);

/* The file that is run. */
const struct source_file *source_entry(const struct source *source);

/* The file of a module ("lib.tokens"), or NULL. source may be NULL. */
const struct source_file *source_module(const struct source *source, const char *module);

/* All files, ordered by name. */
size_t source_count(const struct source *source);
const struct source_file *source_at(const struct source *source, size_t i);

/* The last part of the folder's name. */
const char *source_label(const struct source *source);

/* The folder, absolute and without links; NULL when there is none. */
const char *source_folder(const struct source *source);

/* SHA-256 over names and contents. */
const char *source_version(const struct source *source);

/* Whether the entry itself was named, and not the folder that is the policy. */
bool source_is_file(const struct source *source);

/* Whether a text has `"module"` in it, as one has that requires it. May be true without that. */
bool source_mentions(struct slice text, const char *module);

/* True when every file compiles and names no global that is not there; else words are the first error:
 * "file:line: ...". Beside an entry that was named may be files of others (nexusd.lua): then only those
 * are looked at that it mentions, or one of these does. */
bool source_compiles(const struct source *source, char words[SOURCE_WORDS_LEN]) MUST_CHECK;

#endif
