/* shapes.c -- see shapes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/shapes.h"

#define ROW(name, type, words)        \
    {                                 \
        name, NULL, type, words, NULL \
    }
#define END ROW(NULL, NULL, NULL)

/* ---- what hooks are given ---- */

static const struct module_row request[] = {
    ROW("action", "\"publish\"|\"subscribe\"|\"call\"|\"register\"", "What is asked for."),
    ROW("uri", "string", "The topic or procedure, or the pattern of one."),
    ROW("match", "\"exact\"|\"prefix\"|\"wildcard\"", "How the URI is meant."),
    ROW("session", "nexus.Session", "Who asks."),
    ROW("options", "table", "Options of the message."),
    ROW("args", "any[]?", "Positional arguments; nil where only the ends can read them."),
    ROW("kwargs", "table?", "Named arguments; nil where only the ends can read them."),
    ROW("params", "table<string, string>", "What the pattern of the rule that asks captured."),
    END,
};

static const struct module_row hello[] = {
    ROW("realm", "string", "The realm to be joined."),
    ROW("authid", "string?", "Who it says it is."),
    ROW("authrole", "string?", "The role that it wishes for."),
    ROW("authmethods", "string[]?", "The methods it can do, the preferred one first."),
    ROW("authextra", "table?", "What it adds for the method."),
    ROW("method", "string", "The method that is being tried."),
    ROW("agent", "string?", "The name of its program."),
    ROW("roles", "table", "Roles and features, as it announced them."),
    ROW("transport", "nexus.Transport", "How it is connected."),
    ROW("cookie", "table?", "What was kept for the cookie of its connection."),
    END,
};

static const struct module_row transport[] = {
    ROW("type", "\"websocket\"|\"rawsocket\"|\"local\"", "The kind of connection."),
    ROW("peer", "string", "Where it comes from: tcp4:192.0.2.1:5678."),
    ROW("ip", "string?", "The address alone."),
    ROW("port", "integer?", "The port alone."),
    ROW("protocol", "string", "The subprotocol: wamp.2.json."),
    ROW("serializer", "string", "json, msgpack or cbor."),
    ROW("secure", "boolean", "Whether it has TLS."),
    ROW("headers", "table<string, string>?", "Of a WebSocket's request, those that are kept."),
    ROW("cookies", "table<string, string>?", "Of a WebSocket's request."),
    ROW("tls", "nexus.Tls?", "What TLS knows; nil without."),
    END,
};

static const struct module_row tls[] = {
    ROW("version", "string", "TLSv1.3."),
    ROW("cipher", "string", "The name of the cipher."),
    ROW("fingerprint", "string?", "SHA-256 of the client's certificate, in hexadecimal digits."),
    ROW("verified", "boolean?", "Whether that certificate is good by the CA of the address."),
    ROW("common_name", "string?", "Of its subject."),
    ROW("subject", "string?", "As in RFC 2253."),
    ROW("issuer", "string?", "As in RFC 2253."),
    ROW("channel_id", "table<string, string>", "Octets that only the two ends have, by binding."),
    END,
};

static const struct module_row message[] = {
    ROW("uri", "string", "The topic, the procedure, or the URI of the error."),
    ROW("session", "nexus.Session", "Who sent it."),
    ROW("options", "table", "Options or Details of the message."),
    ROW("args", "any[]?", "Positional arguments; nil where only the ends can read them."),
    ROW("kwargs", "table?", "Named arguments; nil where only the ends can read them."),
    ROW("procedure", "string?", "Of a result or error: what was called."),
    ROW("caller", "nexus.Session?", "Of a result or error: who called."),
    END,
};

static const struct module_row publication[] = {
    ROW("topic", "string", "What it is published to."),
    ROW("publication", "integer", "Its number, as in EVENT and PUBLISHED."),
    ROW("publisher", "nexus.Session?", "Who publishes it."),
    ROW("options", "table", "Options of the message."),
    ROW("args", "any[]?", "Positional arguments; nil where only the ends can read them."),
    ROW("kwargs", "table?", "Named arguments; nil where only the ends can read them."),
    ROW("retained", "boolean", "Whether it was kept, and is for somebody who came later."),
    ROW("params", "table<string, string>", "What the pattern of the rule captured."),
    END,
};

static const struct module_row version[] = {
    ROW("version", "string", "The hash of the files that run now."),
    ROW("previous", "string?", "For on_load: what ran before."),
    ROW("next", "string?", "For on_unload: what runs from now on."),
    ROW("first", "boolean?", "For on_load: nothing ran before."),
    END,
};

/* ---- what they give back, and what the policy table holds ---- */

static const struct module_row principal[] = {
    ROW("authrole", "string", "Its role; needed."),
    ROW("authid", "string?", "Who it is; not given: who it asked to be."),
    ROW("authprovider", "string?", "Who says so; \"policy\"."),
    ROW("attributes", "table<string, any>?",
        "As declared in policy.attributes; nexus.null is as good as none."),
    ROW("extra", "table?", "What WELCOME tells as authextra."),
    ROW("expires", "number?", "When the session is ended, in seconds since 1970."),
    ROW("trustlevel", "integer?", "Its trust level."),
    ROW("ticket", "string|string[]?", "For ticket: one, or several that are good."),
    ROW("ticket_hash", "string?",
        "In place of ticket: a hash, from nexus.crypto.password_hash or nexusd passwd."),
    ROW("secret", "string?", "For wampcra."),
    ROW("salt", "string?", "For wampcra with a derived secret, and scram."),
    ROW("iterations", "integer?", "For wampcra with a derived secret, and scram."),
    ROW("keylen", "integer?", "For wampcra with a derived secret."),
    ROW("kdf", "string?", "For scram: pbkdf2, argon2id13, or argon2id-13 for \"scram\" alone."),
    ROW("memory", "integer?", "For scram with argon2id13, KiB."),
    ROW("stored_key", "string?", "For scram."),
    ROW("server_key", "string?", "For scram."),
    ROW("compat_stored_key", "string?",
        "For scram with argon2id13: the same for clients that call the method \"scram\"."),
    ROW("compat_server_key", "string?", "For scram with argon2id13."),
    ROW("pubkeys", "string|string[]?", "For cryptosign: hexadecimal digits or octets."),
    ROW("fingerprints", "string|string[]?",
        "For tls: SHA-256 or SHA-1 of certificates, in hexadecimal digits; not given: any that "
        "verified."),
    END,
};

static const struct module_row method[] = {
    ROW("verify",
        "fun(hello: nexus.Hello, signature: string, extra: table): nexus.Principal|nexus.Decision?",
        "Judges the answer, and says who it is."),
    ROW("challenge", "(fun(hello: nexus.Hello): table?)?",
        "Makes Extra of CHALLENGE; for methods of the policy's own."),
    END,
};

static const struct module_row rule[] = {
    ROW("allow", "string?", "Actions: call register publish subscribe, or *."),
    ROW("deny", "string?", "The same, refused."),
    ROW("ask", "string?", "The same, and policy.authorize decides."),
    ROW("uri", "string", "A pattern: com.acme.*.{name}.{session.org}.**"),
    ROW("disclose", "boolean?", "With allow: whether the session is named to who receives."),
    ROW("trustlevel", "integer?", "With allow: the trust level that is told."),
    ROW("timeout", "number?", "With allow: upper bound for calls, seconds."),
    ROW("options", "table?", "With allow: they stand before those of the message."),
    ROW("filter", "nexus.Filter?", "With allow: who gets what is published."),
    END,
};

static const struct module_row procedure[] = {
    ROW("handler", "fun(call: nexus.Call): ...", "What is called."),
    ROW("concurrency", "integer?", "Calls at one time, 64; more wait in order."),
    ROW("ordered", "boolean?", "One at a time for each caller."),
    ROW("timeout", "number?", "Seconds that a call may take."),
    ROW("invoke", "\"single\"|\"roundrobin\"|\"random\"|\"first\"|\"last\"|nil", "As in REGISTER."),
    ROW("disclose_caller", "boolean?", "As in REGISTER."),
    ROW("force_reregister", "boolean?",
        "As in REGISTER: takes the place of what a client has registered."),
    ROW("nkey", "string?", "As in REGISTER."),
    ROW("describe", "string?", "What reflection tells of it."),
    END,
};

static const struct module_row subscription[] = {
    ROW("handler", "fun(event: nexus.Event)", "What is called."),
    ROW("concurrency", "integer?", "Events at one time, 1."),
    ROW("queue", "integer?", "Events that may wait, 1000."),
    ROW("overflow", "\"drop_oldest\"|\"drop_newest\"|nil", "What goes when the queue is full."),
    ROW("timeout", "number?", "Seconds that an event may take."),
    ROW("get_retained", "boolean?", "As in SUBSCRIBE."),
    ROW("describe", "string?", "What reflection tells of it."),
    END,
};

static const struct module_row task[] = {
    ROW("run", "fun()", "What is called; never twice at one time."),
    ROW("every", "number?", "Seconds from one time to the next."),
    ROW("jitter", "number?", "Seconds that this may vary by."),
    ROW("cron", "string?",
        "Instead: minute hour day month weekday, by the local time of the machine."),
    END,
};

static const struct module_row limit[] = {
    ROW("action", "\"join\"|\"publish\"|\"subscribe\"|\"call\"|\"register\"|\"session\"",
        "What is counted."),
    ROW("per", "string?",
        "Who is counted alone: session, authid, authrole, ip, realm, or any attribute."),
    ROW("role", "string?", "Only sessions of that role."),
    ROW("uri", "string?", "Only URIs of that pattern."),
    ROW("rate", "number?", "So many a second."),
    ROW("burst", "number?", "So many at once."),
    ROW("max", "integer?", "For sessions: so many in all."),
    ROW("over", "\"deny\"|\"wait\"|\"close\"|\"replace_oldest\"|nil", "What happens to more."),
    END,
};

static const struct module_row budget[] = {
    ROW("stretch", "number?", "Seconds of CPU between two waits."),
    ROW("cpu", "number?", "Seconds of CPU in all."),
    ROW("wall", "number?", "Seconds from the beginning on."),
    END,
};

/* ---- values ---- */

static const struct module_row result[] = {
    ROW("args", "any[]", "Positional results."),
    ROW("kwargs", "table", "Named results."),
    END,
};

static const struct module_row error[] = {
    ROW("uri", "string", "The URI of the error."),
    ROW("args", "any[]", "Positional arguments."),
    ROW("kwargs", "table", "Named arguments."),
    ROW("message", "string?", "What it says to people."),
    END,
};

static const struct module_row nothing[] = {END};

static const struct module_table of_request = {"nexus.Request", request, NULL};
static const struct module_table of_hello = {"nexus.Hello", hello, NULL};
static const struct module_table of_transport = {"nexus.Transport", transport, NULL};
static const struct module_table of_tls = {"nexus.Tls", tls, NULL};
static const struct module_table of_message = {"nexus.Message", message, NULL};
static const struct module_table of_publication = {"nexus.Publication", publication, NULL};
static const struct module_table of_version = {"nexus.Version", version, NULL};
static const struct module_table of_principal = {"nexus.Principal", principal, NULL};
static const struct module_table of_method = {"nexus.Method", method, NULL};
static const struct module_table of_rule = {"nexus.Rule", rule, NULL};
static const struct module_table of_procedure = {"nexus.Procedure", procedure, NULL};
static const struct module_table of_subscription = {"nexus.Subscription", subscription, NULL};
static const struct module_table of_task = {"nexus.Task", task, NULL};
static const struct module_table of_limit = {"nexus.Limit", limit, NULL};
static const struct module_table of_budget = {"nexus.Budget", budget, NULL};
static const struct module_table of_result = {"nexus.Result", result, NULL};
static const struct module_table of_error = {"nexus.Error", error, NULL};
static const struct module_table of_decision = {"nexus.Decision", nothing, NULL};
static const struct module_table of_null = {"nexus.Null", nothing, NULL};
static const struct module_table of_bytes = {"nexus.Bytes", nothing, NULL};

static const struct module_table *const tables[] = {
    &of_request, &of_hello,     &of_transport, &of_tls,    &of_message,   &of_publication,
    &of_version, &of_principal, &of_method,    &of_rule,   &of_procedure, &of_subscription,
    &of_task,    &of_limit,     &of_budget,    &of_result, &of_error,     &of_decision,
    &of_null,    &of_bytes,     NULL};

const struct module_table *const *shapes_tables(void)
{
    return tables;
}
