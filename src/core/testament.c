/* testament.c -- see testament.h; and the two procedures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/testament.h"

#include "base/mem.h"
#include "core/judge.h"
#include "core/limits.h"
#include "core/meta_priv.h"
#include "core/publish.h"
#include "wire/errors.h"

struct testament {
    struct list in_session; /* session->testaments */
    enum testament_scope scope;
    struct msg msg; /* PUBLISH; its slices point into `bytes` */
    char bytes[];
};

static void drop(struct session *session, struct testament *testament)
{
    list_remove(&testament->in_session);
    session->testament_count--;
    session->testaments_len -= msg_len(&testament->msg);
    mem_free(testament);
}

void testament_publish(struct core *core, struct session *session)
{
    for (unsigned scope = 0; scope < SCOPE_COUNT; scope++) {
        list_each (&session->testaments, node, after) {
            const struct testament *testament = container_of(node, struct testament, in_session);

            if (testament->scope == scope)
                publish_testament(core, session, &testament->msg);
        }
    }
}

void testament_forget(struct session *session)
{
    list_each (&session->testaments, node, after)
        drop(session, container_of(node, struct testament, in_session));
}

/* ---- procedures ---- */

static const char *take_scope(struct meta_call *call, unsigned place, enum testament_scope *scope)
{
    struct slice text = SLICE("destroyed");
    const char *error = meta_take_text(call, "scope", place, &text);

    *scope = slice_eq(text, SLICE("detached")) ? SCOPE_DETACHED : SCOPE_DESTROYED;
    if (error != NULL || *scope == SCOPE_DETACHED || slice_eq(text, SLICE("destroyed")))
        return error;
    return meta_error(call, WAMP_INVALID_ARGUMENT, "scope: expected \"detached\" or \"destroyed\"");
}

/* The encoded value when it is a list or dict of that type with something in it. */
static const char *take_container(struct meta_call *call, unsigned place, const char *name,
                                  enum token_type type, struct slice *value)
{
    const struct meta_arg *arg = &call->args[place];
    struct dict_walk item;

    *value = (struct slice){0};
    if (!arg->is_there)
        return NULL;
    if (arg->token.type != type)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "argument %u (%s): expected a %s", place + 1,
                          name, type == TOKEN_LIST ? "list" : "dict");
    if (type == TOKEN_LIST)
        list_walk(&item, call->codec, arg->value, &call->core->scratch);
    else
        dict_walk(&item, call->codec, arg->value, &call->core->scratch);
    if (type == TOKEN_LIST ? list_next(&item) : dict_next(&item))
        *value = arg->value;
    return NULL;
}

/* The arguments as the PUBLISH that they stand for. */
static const char *take_publish(struct meta_call *call, struct msg *msg)
{
    struct meta_arg options = meta_kwarg(call, "publish_options");
    const char *error;

    *msg =
        (struct msg){.type = MSG_PUBLISH, .codec = call->codec, .payload = {.codec = call->codec}};
    error = meta_need_text(call, 0, "topic", &msg->text);
    if (error == NULL)
        error = take_container(call, 1, "args", TOKEN_LIST, &msg->payload.args);
    if (error == NULL)
        error = take_container(call, 2, "kwargs", TOKEN_MAP, &msg->payload.kwargs);
    if (error != NULL)
        return error;
    if (msg->payload.args.len != 0 || msg->payload.kwargs.len != 0)
        msg->payload.kind = PAYLOAD_ARGS;
    if (options.is_there && options.token.type != TOKEN_MAP)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "publish_options: expected a dict");
    if (options.is_there)
        msg->dict = options.value;
    return NULL;
}

/* What would be wrong with that PUBLISH. */
static const char *check_publish(struct meta_call *call, const struct msg *msg)
{
    struct options options;
    struct amended amended;
    struct publication pub = {.core = call->core,
                              .msg = msg,
                              .options = &options,
                              .is_trusted = call->caller->is_trusted};
    struct fault fault;
    const char *words = NULL, *error;

    if (options_read(&options, msg, &call->core->scratch, &fault) < 0)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "publish_options: %s", fault.words);
    if (options_is_ppt(&options) && (call->caller->features & PUBLISHER_PAYLOAD_PASSTHRU_MODE) == 0)
        return meta_error(call, WAMP_INVALID_ARGUMENT,
                          "publish_options.ppt_scheme: the session did not announce "
                          "payload_passthru_mode");
    error = publish_fault(&pub, &words);
    if (error != NULL)
        return meta_error(call, error, "%s", words);
    words = judge_testament(call->core, call->caller, msg, &amended);
    return words == NULL ? NULL : meta_error(call, WAMP_NOT_AUTHORIZED, "%s", words);
}

const char *meta_add_testament(struct meta_call *call)
{
    struct session *session = call->caller;
    struct testament *testament;
    enum testament_scope scope = SCOPE_DESTROYED;
    struct msg msg;
    const char *error = take_publish(call, &msg);

    if (error == NULL)
        error = take_scope(call, MAX_META_ARGS, &scope);
    if (error == NULL)
        error = check_publish(call, &msg);
    if (error != NULL)
        return error;
    if (session->testament_count == MAX_TESTAMENTS)
        return meta_error(call, WAMP_INVALID_ARGUMENT, "a session has at most %d testaments",
                          MAX_TESTAMENTS);
    if (session->testaments_len + msg_len(&msg) > MAX_TESTAMENTS_LEN)
        return meta_error(call, WAMP_INVALID_ARGUMENT,
                          "the testaments of a session have at most %d bytes", MAX_TESTAMENTS_LEN);
    testament = mem_alloc(sizeof *testament + msg_len(&msg));
    testament->scope = scope;
    msg_copy(&testament->msg, &msg, testament->bytes);
    list_append(&session->testaments, &testament->in_session);
    session->testament_count++;
    session->testaments_len += msg_len(&msg);
    return NULL;
}

const char *meta_flush_testaments(struct meta_call *call)
{
    enum testament_scope scope;
    const char *error = take_scope(call, 0, &scope);

    if (error != NULL)
        return error;
    list_each (&call->caller->testaments, node, after) {
        struct testament *testament = container_of(node, struct testament, in_session);

        if (testament->scope == scope)
            drop(call->caller, testament);
    }
    return NULL;
}
