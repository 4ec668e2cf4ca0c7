/* sqlite_priv.h -- what the files of nexus.sqlite share.
 *
 * Private to the room. Functions that begin with l_ may raise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_MODULE_SQLITE_PRIV_H
#define NEXUS_MODULE_SQLITE_PRIV_H

#include "module/database.h"
#include "module/module_priv.h"

#define FUNCTION      "nexus.sqlite"
#define MAX_FILE_NAME 200
#define SQL_ERRORS                                                                          \
    "What SQLite says, with the file and the place in the SQL; a database that is locked, " \
    "after 2 s; a statement of more than 30 s"

/* The object of a policy. The file is opened when it is first used. */
struct sqlite {
    char name[MAX_FILE_NAME + 1];
};

/* The database that is the first argument. */
const struct sqlite *l_sqlite_check(lua_State *lua);
/* The SQL that is the second. */
struct slice l_sqlite_check_sql(lua_State *lua, const char *name);

/* ---- jobs ---- */

struct db_job *sqlite_job_of(struct wait *wait);
/* Raises what a job that is done says it failed of. */
void l_sqlite_check_trouble(lua_State *lua, const char *name, const struct db_job *job);
/* The open file of that name, held. */
struct database *l_sqlite_hold(lua_State *lua, const char *name);
/* A job for the database of that name. */
struct db_job *l_sqlite_job(lua_State *lua, const char *name, enum db_job_kind kind);
/* Takes the job over, and waits for it; raises when there are too many. */
int l_sqlite_start(lua_State *lua, const char *name, struct db_job *job,
                   void (*push)(lua_State *lua, struct wait *wait));

/* ---- values ---- */

/* Raises for what no database holds among the arguments from there on. */
void l_sqlite_check_values(lua_State *lua, const char *name, int from);
/* Writes those arguments; returns how many they are. */
unsigned sqlite_put_values(lua_State *lua, int from, struct writer *to);
/* Pushes a list of the names of columns, and moves past them. */
void sqlite_push_names(lua_State *lua, struct slice *rest);
/* Pushes the next row as a dict; the list of names is at the index. */
void sqlite_push_row(lua_State *lua, int names, struct slice *rest);
/* Pushes a list of the next rows. */
void sqlite_push_list(lua_State *lua, int names, struct slice *rest, size_t count);

/* ---- what the class of databases has from other files ---- */

/* db:rows(sql, ...) */
int l_sqlite_rows(lua_State *lua);
/* Puts db:transaction into the class on the top of the stack. */
void sqlite_set_transaction(lua_State *lua);

#endif
