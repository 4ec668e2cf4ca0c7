/* module_http_test.c -- nexus.http, against module_http_server.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "module_kit.h"

#include <netinet/in.h>

#define NEXUS "local nexus <const> = require 'nexus' local http <const> = nexus.http "

static int plain_port, secure_port;
static char folder[] = "/tmp/nexus-http-XXXXXX", certificate[64], private_key[64];
static pid_t server;

static void make_certificate(void)
{
    char command[400];

    EXPECT(mkdtemp(folder) != NULL);
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
    snprintf(private_key, sizeof(private_key), "%s/key.pem", folder);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
             "/CN=localhost -addext subjectAltName=DNS:localhost -keyout %s -out %s 2>/dev/null",
             private_key, certificate);
    EXPECT_EQ(system(command), 0);
}

static void start_server(void)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    char line[64];
    size_t at = 0;
    ssize_t len;

    make_certificate();
    EXPECT(pipe(in) == 0 && pipe(out) == 0);
    server = fork();
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", HTTP_SERVER, certificate, private_key, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    while (at < sizeof(line) - 1 && memchr(line, '\n', at) == NULL &&
           (len = read(out[0], line + at, sizeof(line) - 1 - at)) > 0)
        at += (size_t)len;
    line[at] = '\0';
    EXPECT_EQ(sscanf(line, "%d %d", &plain_port, &secure_port), 2);
}

__attribute__((destructor)) static void stop_server(void)
{
    if (server <= 0)
        return;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(certificate);
    unlink(private_key);
    rmdir(folder);
}

static const char *const all_hosts[] = {"127.0.0.1", "localhost", NULL};

static void open_kit(void)
{
    if (server == 0)
        start_server();
    kit_config = (struct host_config){.http_hosts = all_hosts};
    kit_open_module();
}

/* The code with @ and % put in place for the two ports; what it gave, or the words. */
static const char *ask(const char *code)
{
    static char full[4000];
    size_t at = 0;

    at += (size_t)snprintf(full, sizeof(full), "%s", NEXUS);
    for (; *code != '\0' && at < sizeof(full) - 10; code++) {
        if (*code == '@')
            at += (size_t)snprintf(full + at, 10, "%d", plain_port);
        else if (*code == '%')
            at += (size_t)snprintf(full + at, 10, "%d", secure_port);
        else
            full[at++] = *code;
    }
    full[at] = '\0';
    return kit_run(full) == DOOR_RETURNED ? kit.results : kit.answer.message;
}

/* Words with @ for the port. */
static const char *plain(const char *text)
{
    static char out[600];
    char port[12];
    size_t at = 0, len = (size_t)snprintf(port, sizeof(port), "%d", plain_port);

    while (*text != '\0' && at < sizeof(out) - 1) {
        if (strncmp(text, port, len) == 0) {
            out[at++] = '@';
            text += len;
        } else {
            out[at++] = *text++;
        }
    }
    out[at] = '\0';
    return out;
}

TEST(asks_and_is_answered)
{
    open_kit();
    EXPECT_STR(ask("local r = http.get('http://127.0.0.1:@/hello') "
                   "return r.status, r.body, r.headers['content-length'], r.headers['x-two']"),
               "200\thello\t5\ta, b");
    EXPECT_STR(ask("return http.get('http://127.0.0.1:@/status?is=503').status"), "503");
    EXPECT_STR(
        ask("local r = http.get('http://127.0.0.1:@/echo?a=b', { headers = { ['X-A'] = 'b c',"
            " ['X-E'] = '' } }) local v = nexus.json.decode(r.body) "
            "return v.method, v.headers['x-a'], v.headers['x-e'], v.headers['content-type'], "
            "v.headers['user-agent']:sub(1, 6)"),
        "GET\tb c\t\tnil\tnexus/");
    EXPECT_STR(ask("local r = http.post('http://127.0.0.1:@/echo', 'a\\0b') "
                   "local v = nexus.json.decode(r.body) "
                   "return v.method, #v.body, v.headers['content-type'], v.headers.expect"),
               "POST\t3\tapplication/octet-stream\tnil");
    EXPECT_STR(ask("local r = http.post('http://127.0.0.1:@/echo', { n = 1 }) "
                   "local v = nexus.json.decode(r.body) "
                   "return v.body, v.headers['content-type']"),
               "{\"n\":1}\tapplication/json");
    EXPECT_STR(ask("local out = {} for _, m in ipairs{ 'PUT', 'PATCH', 'DELETE', 'OPTIONS' } do "
                   "local r = http.request{ url = 'http://127.0.0.1:@/echo', method = m, "
                   "body = m ~= 'DELETE' and 'x' or nil } "
                   "local v = nexus.json.decode(r.body) out[#out + 1] = v.method .. v.body end "
                   "return table.concat(out, ' ')"),
               "PUTx PATCHx DELETE OPTIONSx");
    EXPECT_STR(ask("local r = http.request{ url = 'http://127.0.0.1:@/hello', method = 'HEAD' } "
                   "return r.status, r.body, r.headers['content-length']"),
               "200\t\t5");
    /* A connection is used again. */
    EXPECT_STR(ask("local a = nexus.json.decode(http.get('http://127.0.0.1:@/echo').body).peer "
                   "return a == nexus.json.decode(http.get('http://127.0.0.1:@/echo').body).peer"),
               "true");
    kit_close_module();
}

TEST(only_allowed_hosts)
{
    static const char *const some[] = {"orders", "127.0.0.1:1", "*.example.com", "*.localhost",
                                       NULL};

    open_kit();
    kit_config.http_hosts = some;
    EXPECT_STR(
        plain(ask("http.get('http://127.0.0.1:@/hello')")),
        "policy.lua:1: nexus.http: GET http://127.0.0.1:@/hello: the host 127.0.0.1:@ is not "
        "among http_hosts of the configuration");
    EXPECT(strstr(ask("http.get('http://example.com/')"), "not among http_hosts") != NULL);
    EXPECT(strstr(ask("http.get('http://evil.com#.example.com/')"), "not among http_hosts") !=
           NULL);
    EXPECT(strstr(ask("http.get('http://orders' .. string.char(64) .. 'evil.com/')"),
                  "the host evil.com:80 is not among http_hosts") != NULL);
    EXPECT(strstr(ask("http.get('http://orders.evil.com/')"), "not among http_hosts") != NULL);
    EXPECT(strstr(ask("http.get('http://example.com:1/')"), "not among http_hosts") != NULL);
    EXPECT_STR(ask("return http.get('http://A.Localhost:@/hello').body"), "hello");
    EXPECT(strstr(ask("http.get('http://127.0.0.1:1/')"), "Connection refused") != NULL);
    EXPECT_STR(ask("http.get('ftp://orders/')"),
               "policy.lua:1: nexus.http: GET ftp://orders/: the scheme is ftp; allowed: http, "
               "https");
    EXPECT_STR(
        ask("http.get('file:///etc/passwd')"),
        "policy.lua:1: nexus.http: GET file:///etc/passwd: the scheme is file; allowed: http, "
        "https");
    EXPECT_STR(ask("http.get('http://bob:secret' .. string.char(64) .. 'orders/')"),
               "policy.lua:1: nexus.http: GET http://bob:secret\100orders/: a name or password in "
               "the URL; they belong into a header");
    EXPECT_STR(ask("http.get('not a url')"),
               "policy.lua:1: nexus.http: GET not a url: it is no URL");
    kit_config.http_hosts = NULL;
    EXPECT(strstr(ask("http.get('http://127.0.0.1:@/')"), "not among http_hosts") != NULL);
    kit_close_module();
}

TEST(redirections)
{
    static const char *const one[] = {"127.0.0.1", NULL};

    open_kit();
    EXPECT_STR(ask("return http.get('http://127.0.0.1:@/to?url=/hello').body"), "hello");
    EXPECT_STR(ask("local r = http.get('http://127.0.0.1:@/to?url=/hello', { redirects = 0 }) "
                   "return r.status, r.headers.location"),
               "302\t/hello");
    EXPECT_STR(ask("local v = nexus.json.decode(http.post('http://127.0.0.1:@/to?url=/echo', 'x')"
                   ".body) return v.method, v.body"),
               "GET\t");
    EXPECT_STR(ask("local v = nexus.json.decode(http.post("
                   "'http://127.0.0.1:@/to?status=307&url=/echo', 'x').body) return v.method, "
                   "v.body"),
               "POST\tx");
    /* Credentials stay with the host that they are for. */
    EXPECT_STR(ask("local v = nexus.json.decode(http.get("
                   "'http://127.0.0.1:@/to?url=http://localhost:@/echo', "
                   "{ headers = { Authorization = 'x', Cookie = 'y', ['X-A'] = 'z' } }).body) "
                   "return v.headers.authorization, v.headers.cookie, v.headers['x-a']"),
               "nil\tnil\tz");
    EXPECT_STR(ask("return nexus.json.decode(http.get('http://127.0.0.1:@/to?url=/echo', "
                   "{ headers = { Authorization = 'x' } }).body).headers.authorization"),
               "x");
    /* Without end: the sixth is the answer. */
    EXPECT_STR(ask("local r = http.get('http://127.0.0.1:@/loop') return r.status, r.body"),
               "302\t6");
    kit_close_module();
    open_kit();
    kit_config.http_hosts = one;
    EXPECT_STR(plain(ask("http.get('http://127.0.0.1:@/to?url=http://localhost:1/')")),
               "policy.lua:1: nexus.http: GET http://127.0.0.1:@/to: redirected: the host "
               "localhost:1 is not among http_hosts of the configuration");
    EXPECT_STR(plain(ask("http.get('http://127.0.0.1:@/to?url=file:///etc/passwd')")),
               "policy.lua:1: nexus.http: GET http://127.0.0.1:@/to: redirected: the scheme is "
               "file; allowed: http, https");
    kit_close_module();
}

static double seconds_of(const char *code, const char *words)
{
    uint64_t began = uv_hrtime();

    EXPECT_STR(plain(ask(code)), words);
    return (double)(uv_hrtime() - began) / 1e9;
}

TEST(peers_that_do_not_answer)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    char code[200], words[300];

    open_kit();
    EXPECT(seconds_of("http.get('http://127.0.0.1:@/silent?key=secret', { timeout = 0.3 })",
                      "policy.lua:1: nexus.http: GET http://127.0.0.1:@/silent: no answer within "
                      "0.3 s") < 3);
    EXPECT(seconds_of("http.get('http://127.0.0.1:@/drip', { timeout = 0.3 })",
                      "policy.lua:1: nexus.http: GET http://127.0.0.1:@/drip: no answer within "
                      "0.3 s") < 3);
    /* Nobody listens. */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    EXPECT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    snprintf(code, sizeof(code), "http.get('http://127.0.0.1:%d/')", ntohs(address.sin_port));
    snprintf(words, sizeof(words), NEXUS "%s", code);
    EXPECT_EQ(kit_run(words), DOOR_FAILED);
    EXPECT(strstr(kit.answer.message, "Couldn't connect to server: Connection refused") != NULL);
    close(fd);
    EXPECT_STR(plain(ask("http.get('http://127.0.0.1:@/garbage')")),
               "policy.lua:1: nexus.http: GET http://127.0.0.1:@/garbage: Unsupported protocol");
    EXPECT_EQ(strncmp(ask("http.get('http://127.0.0.1:@/short')"), "policy.lua:1: ", 14), 0);
    kit_close_module();
}

TEST(answers_that_are_too_long)
{
    open_kit();
    EXPECT_STR(ask("return #http.get('http://127.0.0.1:@/huge?len=1048576').body"), "1048576");
    EXPECT_STR(plain(ask("http.get('http://127.0.0.1:@/huge?len=1048577')")),
               "policy.lua:1: nexus.http: GET http://127.0.0.1:@/huge: the answer is longer than "
               "1048576 octets (max_size)");
    EXPECT_STR(ask("return #http.get('http://127.0.0.1:@/huge?len=3000000', "
                   "{ max_size = 3000000 }).body"),
               "3000000");
    EXPECT_STR(
        plain(ask("http.get('http://127.0.0.1:@/endless', { max_size = 10 })")),
        "policy.lua:1: nexus.http: GET http://127.0.0.1:@/endless: the answer is longer than "
        "10 octets (max_size)");
    EXPECT_STR(plain(ask("http.get('http://127.0.0.1:@/head')")),
               "policy.lua:1: nexus.http: GET http://127.0.0.1:@/head: the headers of the answer "
               "are longer than 65536 octets");
    kit_close_module();
}

TEST(certificates_are_verified)
{
    open_kit();
    EXPECT(strstr(ask("http.get('https://localhost:%/hello')"), "SSL") != NULL);
    kit_close_module();
    open_kit();
    kit_config.http_ca_file = certificate;
    EXPECT_STR(ask("return http.get('https://localhost:%/hello').body"), "hello");
    EXPECT(strstr(ask("http.get('https://127.0.0.1:%/hello')"), "SSL") != NULL);
    kit_close_module();
}

TEST(wrong_options)
{
    static const char *const cases[][2] = {
        {"http.get()", "bad argument #1 to 'get' (string expected, got no value)"},
        {"http.get('x', 1)", "bad argument #2 to 'get' (table expected, got number)"},
        {"http.post('x')", "bad argument #2 to 'post' (value expected)"},
        {"http.request('x')", "bad argument #1 to 'request' (table expected, got string)"},
        {"http.request{}", "nexus.http.url: found a nil of 0 octets; allowed: a text of at most "
                           "8192"},
        {"http.get(('x'):rep(9000))", "nexus.http.url: found a string of 9000 octets; allowed: a "
                                      "text of at most 8192"},
        {"http.get('x', { timout = 1 })", "nexus.http: timout: no such option (did you mean "
                                          "\"timeout\"?)"},
        {"http.get('x', { timeout = 61 })", "nexus.http.timeout: found 61; allowed: seconds, from "
                                            "0.001 to 60"},
        {"http.get('x', { timeout = 0/0 })", "nexus.http.timeout: found "},
        {"http.get('x', { connect_timeout = 0 })", "nexus.http.connect_timeout: found 0; allowed: "
                                                   "seconds, from 0.001 to 60"},
        {"http.get('x', { max_size = 1 << 40 })", "nexus.http.max_size: found 1099511627776; "
                                                  "allowed: an integer from 1 to 16777216"},
        {"http.get('x', { redirects = 6 })", "nexus.http.redirects: found 6; allowed: an integer "
                                             "from 0 to 5"},
        {"http.get('x', { headers = { ['a b'] = 'x' } })", "nexus.http.headers: found a name \"a "
                                                           "b\"; allowed: letters, digits and -"},
        {"http.get('x', { headers = { a = 'x\\r\\nb: c' } })",
         "nexus.http.headers: a: found a text of several lines; allowed: a text of one line"},
        {"http.get('x', { headers = { a = 1 } })",
         "nexus.http.headers: a: found a number; allowed: "
         "a text of one line"},
        {"http.get('x', { headers = { Host = 'b' } })", "nexus.http.headers: Host is not yours to "
                                                        "set"},
        {"http.get('x', { headers = { a = ('x'):rep(20000) } })",
         "nexus.http.headers: found more than 64, or 16384 octets; allowed are both"},
        {"http.post('x', print)", "nexus.http.body: found a function; allowed: string, "
                                  "nexus.bytes, a table"},
        {"http.post('x', { print })", "body[1]: function cannot be sent"},
        {"http.request{ url = 'x', method = 'get' }", "nexus.http.method: found get; allowed: GET, "
                                                      "HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
    };

    open_kit();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *words = ask(cases[i][0]);

        if (strncmp(words, "policy.lua:1: ", 14) != 0 ||
            strncmp(words + 14, cases[i][1], strlen(cases[i][1])) != 0)
            UNIT_FAIL("%s\n  said %s", cases[i][0], words);
    }
    kit_host.is_loading = true;
    EXPECT_STR(ask("http.get('http://127.0.0.1:@/hello')"),
               "policy.lua:1: not while loading; use policy.on_load");
    kit_host.is_loading = false;
    kit_close_module();
}

/* More than run at once: they wait for each other. Some are not wanted any more. */
TEST(many_at_once)
{
    static struct kit_run runs[300];
    char code[200];
    size_t refused = 0, right = 0;

    open_kit();
    snprintf(code, sizeof(code), NEXUS "return http.get('http://127.0.0.1:%d/hello').body",
             plain_port);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_begin(&runs[i], code);
        if (runs[i].is_over) {
            EXPECT(strstr(runs[i].results, "256 requests wait already; allowed are 256") != NULL);
            refused++;
        }
    }
    EXPECT_EQ(refused, 300 - 256 - 32);
    for (size_t i = 0; i < ARRAY_LEN(runs); i += 3) {
        if (!runs[i].is_over)
            kit_cancel(&runs[i]);
        runs[i].is_over = true;
        runs[i].results[0] = '\0';
    }
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_end(&runs[i]);
        right += strcmp(runs[i].results, "hello") == 0;
    }
    EXPECT_EQ(right, 192);
    kit_close_module();
}

TEST(bodies_that_wait_are_bounded)
{
    static struct kit_run runs[16];
    char code[200];
    size_t refused = 0;

    open_kit();
    EXPECT_STR(ask("require 'kept'.set(('x'):rep(6000000)) return 1"), "1");
    snprintf(code, sizeof(code),
             NEXUS "return http.post('http://127.0.0.1:%d/silent', require 'kept'.get())",
             plain_port);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        kit_begin(&runs[i], code);
        if (runs[i].is_over) {
            EXPECT(strstr(runs[i].results, "wait to be sent already; allowed are 67108864") !=
                   NULL);
            refused++;
        }
    }
    EXPECT_EQ(refused, 5);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        if (!runs[i].is_over)
            kit_cancel(&runs[i]);
    }
    kit_close_module();
}

TEST(a_host_that_ends_meanwhile)
{
    static struct kit_run runs[40];
    char code[200];

    open_kit();
    snprintf(code, sizeof(code), NEXUS "return http.get('http://127.0.0.1:%d/silent').body",
             plain_port);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++)
        kit_begin(&runs[i], code);
    for (int i = 0; i < 20; i++)
        uv_run(&kit_loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        EXPECT_EQ(runs[i].answer.outcome, DOOR_WAITING);
        if (i % 2 == 0)
            runs[i].wait->drop(runs[i].wait);
    }
    kit_close();
    host_fini(&kit_host);
    for (size_t i = 1; i < ARRAY_LEN(runs); i += 2)
        runs[i].wait->drop(runs[i].wait);
    uv_run(&kit_loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&kit_loop), 0);
}

/* ---- answers of tests ---- */

static bool test_answer(lua_State *lua, const struct host *host,
                        const struct http_question *question, struct http_reply *reply)
{
    static const struct slice headers[] = {{"X-Id", 4}, {"17", 2}};

    (void)lua;
    (void)host;
    if (slice_eq(question->url, SLICE("http://orders/gone"))) {
        reply->trouble = "no answer within 1 s";
        return true;
    }
    if (!slice_eq(question->url, SLICE("http://orders/17")))
        return false;
    EXPECT_SLICE(question->method, SLICE("POST"));
    EXPECT_SLICE(question->body, SLICE("{\"a\":1}"));
    EXPECT(question->header_count == 1 && slice_eq(question->headers[0], SLICE("X-A")));
    reply->status = 404;
    reply->headers = headers;
    reply->header_count = 1;
    reply->body = SLICE("none");
    return true;
}

TEST(answers_may_come_from_a_test)
{
    open_kit();
    kit_host.http_answer = test_answer;
    EXPECT_STR(ask("local r = http.post('http://orders/17', { a = 1 }, { headers = { ['X-A'] = 'b' "
                   "} }) return r.status, r.body, r.headers['x-id']"),
               "404\tnone\t17");
    EXPECT_STR(ask("http.get('http://orders/gone')"),
               "policy.lua:1: nexus.http: GET http://orders/gone: no answer within 1 s");
    EXPECT_STR(ask("http.get('http://other/')"),
               "policy.lua:1: nexus.http: GET http://other/: the host other:80 is not among "
               "http_hosts of the configuration");
    kit_close_module();
}
