-- Configurations in the layout of nexusd of the Go router nexus.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local count = 0
local function json_file(text)
  count = count + 1
  local path = ("%s/router%d.json"):format(daemon.folder(), count)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

-- Exit code, standard output, and the lines about the file without its name.
local function run(text, flag)
  local path = json_file(text)
  local program = daemon.spawn { flags = (flag or "--print-config") .. " --config " .. path }
  local code = program:wait()
  program:assert_clean()
  local lines = {}
  for line in program:log():gmatch("[^\n]+") do
    assert.equal(path .. ":", line:sub(1, #path + 1))
    lines[#lines + 1] = line:sub(#path + 2)
  end
  return code, program:out(), lines
end

local function assert_refused(text, expected)
  local code, out, lines = run(text)
  local errors = {}
  for _, line in ipairs(lines) do
    if not line:find("not set: ", 1, true) or line:find("anonymous_auth", 1, true) then
      errors[#errors + 1] = line
    end
  end
  assert.same(expected, errors)
  assert.same({ 78, "" }, { code, out })
end

local tail = {
  " log_path: not set: lines go to standard error (nexus: standard output)",
  " out_queue_size: not set: 10000 messages may wait for a session (nexus: 64)",
}

describe("a JSON file in nexus's layout", function()
  it("of the plainest kind is taken as it stands", function()
    local code, out, lines = run [[
{
  "websocket": { "address": ":8000" },
  "router": {
    "realms": [
      { "uri": "realm1", "strict_uri": false, "anonymous_auth": true, "allow_disclose": false }
    ]
  }
}]]
    assert.equal(0, code)
    assert.same({
      '2: websocket.address: ":8000" listens on every IPv4 address; for IPv6 write "[::]:8000"',
      "2: websocket.allow_origins: not set: of web pages, only those from http://localhost:8000 "
        .. "may connect (nexus: those from its own host and port)",
      "2: websocket.keep_alive: not set: a silent peer gets a PING all the same "
        .. "(limits.ping_interval)",
      '2: websocket.address: WebSockets are served on "/" and "/ws" (nexus: on every path)',
      tail[1], tail[2],
    }, lines)
    local config = load(out)()
    assert.equal("0.0.0.0:8000", config.listen[1].address)
    assert.same({ "websocket" }, config.listen[1].protocols)
    assert.same({ "http://localhost:8000", "http://127.0.0.1:8000" }, config.listen[1].origins)
    assert.equal("open", config.realms.realm1.policy)
    assert.equal("loose", config.realms.realm1.uri_check)
  end)

  it("with everything set keeps what has a counterpart, and says what has none", function()
    local cert = daemon.certificate()
    local code, out, lines = run(([[
{
  "websocket": {
    "address": "127.0.0.1:8443",
    "cert_file": "%s",
    "key_file": "%s",
    "keep_alive": 30,
    "enable_compression": true,
    "enable_tracking_cookie": true,
    "enable_request_capture": true,
    "allow_origins": ["app.example.com", "localhost:3000"],
    "out_queue_size": 500
  },
  "rawsocket": {
    "tcp_address": "127.0.0.1:8081",
    "tcp_keepalive_interval": 180,
    "unix_address": "/tmp/nexus-spec.sock",
    "max_msg_len": 1048576,
    "out_queue_size": 300
  },
  "metrics": { "address": ":9000" },
  "log_path": "/tmp/nexus-spec.log",
  "colour": "blue",
  "router": {
    "realms": [
      { "uri": "com.acme", "strict_uri": true, "anonymous_auth": true, "allow_disclose": true,
        "require_local_auth": true, "meta_strict": true, "enable_meta_kill": true,
        "enable_meta_modify": true, "meta_include_session_details": ["x"],
        "event_history": [ { "topic": "a", "match": "exact", "limit": 3 } ] }
    ],
    "realm_template": { "anonymous_auth": true },
    "debug": true,
    "mem_stats_log_sec": 60
  }
}]]):format(cert.cert, cert.key))
    assert.equal(0, code)
    assert.same({
      "22: colour: nexus has no such key, it is ignored there and here",
      "20: metrics.address: has no effect: there is no metrics endpoint",
      "7: websocket.enable_compression: has no effect: WebSockets are not compressed",
      "9: websocket.enable_request_capture: has no effect: HTTP requests are not kept for policies",
      "6: websocket.keep_alive: holds for RawSocket as well",
      '3: websocket.address: WebSockets are served on "/" and "/ws" (nexus: on every path)',
      "15: rawsocket.tcp_keepalive_interval: has no effect: instead of TCP keep-alive, a silent "
        .. "peer gets a PING (limits.ping_interval)",
      "17: rawsocket.max_msg_len: holds for WebSocket as well",
      "18: rawsocket.out_queue_size: WebSocket and RawSocket have one queue length here: the "
        .. "larger counts",
      "32: router.mem_stats_log_sec: has no effect: memory statistics are not logged",
      "26: router.realms[1].require_local_auth: has no effect: there are no local sessions that "
        .. "it could apply to",
      "27: router.realms[1].meta_include_session_details: has no effect: where meta_strict is on, "
        .. "session details are the standard attributes only",
    }, lines)
    local config = load(out)()
    assert.equal("tls://127.0.0.1:8443", config.listen[1].address)
    assert.equal(cert.cert, config.listen[1].tls.cert)
    assert.equal(cert.key, config.listen[1].tls.key)
    assert.is_false(config.listen[1].tls.optional)
    assert.equal("nexus-wamp-cookie", config.listen[1].cookie.name)
    assert.same({ "http://app.example.com", "https://app.example.com", "http://localhost:3000",
      "https://localhost:3000" }, config.listen[1].origins)
    assert.equal("127.0.0.1:8081", config.listen[2].address)
    assert.same({ "rawsocket" }, config.listen[2].protocols)
    assert.equal("unix:/tmp/nexus-spec.sock", config.listen[3].address)
    assert.equal("30s", config.limits.ping_interval)
    assert.equal("1MiB", config.limits.max_message_size)
    local realm = config.realms["com.acme"]
    assert.equal("strict", realm.uri_check)
    assert.equal(500, realm.queue.messages)
    assert.same({ "request", "request" }, { realm.disclose_caller, realm.disclose_publisher })
    assert.same({ true, true, true }, { realm.meta_strict, realm.anonymous_admin,
      realm.enable_modify_details })
    assert.same({ { uri = "a", match = "exact", limit = 3, max_age = 0, max_bytes = "64MiB" } },
      realm.event_history)
    assert.equal(1000, realm.history_max_result)
    assert.equal("open", config.realm_template.policy)
    assert.same({ level = "debug", format = "text", file = "/tmp/nexus-spec.log" }, config.log)
  end)

  it("has the habits of nexus", function()
    local _, out = run [[{ "rawsocket": { "tcp_address": "127.0.0.1:1" }, "router": {
      "realms": [ { "uri": "realm1", "anonymous_auth": true } ],
      "realm_template": { "anonymous_auth": true, "enable_meta_kill": true,
        "allow_disclose": true } } }]]
    local program = daemon.spawn { flags = "--print-config", config = [[
      local realm = { policy = "open", compat = "nexus", anonymous_admin = false }
      local pattern = { policy = "open", compat = "nexus", anonymous_admin = true,
        disclose_caller = "request", disclose_publisher = "request" }
      return { listen = { { address = "127.0.0.1:1", protocols = { "rawsocket" } } },
        realms = { realm1 = realm }, realm_template = pattern }]] }
    assert.equal(0, program:wait())
    assert.equal(program:out(), out)
    assert.matches('compat = "nexus"', out)
  end)

  it("lets nobody modify others who may not kill them", function()
    local code, out, lines = run [[{ "rawsocket": { "tcp_address": "127.0.0.1:1" }, "router": {
      "realms": [ { "uri": "realm1", "anonymous_auth": true,
        "enable_meta_modify": true } ] } }]]
    assert.equal(0, code)
    assert.equal("3: router.realms[1].enable_meta_modify: nobody may use it without "
      .. "enable_meta_kill: here, who may modify may kill (anonymous_admin)", lines[1])
    local realm = load(out)().realms.realm1
    assert.same({ true, false }, { realm.enable_modify_details, realm.anonymous_admin })
  end)

  it("keeps histories as long as nexus does", function()
    local code, out, lines = run [[{ "rawsocket": { "tcp_address": "127.0.0.1:1" }, "router": {
      "realms": [ { "uri": "realm1", "anonymous_auth": true, "event_history": [
        { "topic": "com.acme.log", "match": "prefix", "limit": 50000 },
        { "topic": "com..x", "match": "wildcard", "limit": 7 },
        { "topic": "com.acme.log" }
      ] } ] } }]]
    assert.equal(0, code)
    assert.equal("5: router.realms[1].event_history[3].limit: not set: 1000 events are kept",
      lines[1])
    local realm = load(out)().realms.realm1
    local seen = {}
    for i, history in ipairs(realm.event_history) do
      seen[i] = { history.uri, history.match, history.limit }
    end
    assert.same({ { "com.acme.log", "prefix", 50000 }, { "com..x", "wildcard", 7 },
      { "com.acme.log", "exact", 1000 } }, seen)
    assert.equal(50000, realm.history_max_result)
  end)

  it("tells what is wrong with a history in its own words", function()
    local function refused(history, expected)
      assert_refused('{ "rawsocket": { "tcp_address": "127.0.0.1:1" }, "router": { "realms": [ '
        .. '{ "uri": "realm1", "anonymous_auth": true,\n"event_history": ' .. history
        .. " } ] } }", expected)
    end
    refused('[ { "match": "exact", "limit": 1 }, 5, { "topic": 7, "limit": "x" } ]', {
      "2: router.realms[1].event_history[1]: topic is missing; allowed: a string",
      "2: router.realms[1].event_history[2]: found the number 5; allowed: an object with topic, "
        .. "match and limit",
      "2: router.realms[1].event_history[3].topic: found the number 7; allowed: a string",
      '2: router.realms[1].event_history[3].limit: found the string "x"; allowed: an integer',
    })
    refused('{ "topic": "com.acme" }', {
      '2: router.realms[1].event_history.topic: found the string "com.acme"; allowed: an object '
        .. "with topic, match and limit" })
    refused('"com.acme"', { '2: router.realms[1].event_history: found the string "com.acme"; '
      .. "allowed: an object or list" })
    refused('[ { "topic": "a b", "match": "fuzzy", "limit": -1 } ]', {
      '2: router.realms[1].event_history[1].match: found the string "fuzzy"; allowed: "exact", '
        .. '"prefix", "wildcard"',
      "2: router.realms[1].event_history[1].limit: found the number -1; allowed: an integer from 1 "
        .. "to 10000000" })
    refused('[ { "topic": "a", "limit": 1 },\n{ "topic": "a", "limit": 2 } ]', {
      '3: router.realms[1].event_history[2]: "a" with match = "exact" is in the list twice, see '
        .. "router.realms[1].event_history[1] on line 2" })
    refused('[ { "topic": "a..b", "limit": 1 } ]', {
      '2: router.realms[1].event_history[1].topic: found "a..b"; allowed: a topic: components '
        .. "without spaces or #, separated by dots" })
  end)

  it("may write keys in any case, and null for nothing", function()
    local code, out = run [[{ "WebSocket": { "Address": "127.0.0.1:1", "cert_file": null,
      "allow_origins": ["*"] }, "Router": { "Realms": null, "realm_template":
      { "AnonymousAuth": true, "anonymous_auth": true } } }]]
    assert.equal(0, code)
    local config = load(out)()
    assert.is_nil(config.listen[1].origins)
    assert.equal("open", config.realm_template.policy)
  end)

  it("that asks for authentication does not start", function()
    assert_refused([[{ "websocket": { "address": "127.0.0.1:1" }, "router": { "realms": [
      { "uri": "realm1" },
      { "uri": "realm2",
        "anonymous_auth": false },
      { "uri": "realm3", "anonymous_auth": true, "authenticators": [ {} ] },
      { "uri": "realm3", "anonymous_auth": true }
    ] } }]], {
      "2: router.realms[1].anonymous_auth: not set: sessions must authenticate, which a policy in "
        .. "Lua says here; allowed in this file: true",
      "4: router.realms[2].anonymous_auth: false: sessions must authenticate, which a policy in "
        .. "Lua says here; allowed in this file: true",
      "5: router.realms[3].authenticators: who comes in is a policy in Lua here; without one "
        .. "the realm would be open to anybody",
      '6: router.realms[4].uri: "realm3" is in the list twice',
    })
  end)

  it("that would be served with less than it asks for does not start", function()
    local realms = '"router": { "realms": [ { "uri": "realm1", "anonymous_auth": true } ] } }'
    assert_refused('{ "websocket": { "address": "127.0.0.1:1", "cert_file": "x.pem" }, '
      .. realms, {
      "1: websocket: cert_file and key_file are needed both; nexus would serve without TLS" })
    assert_refused('{ "websocket": { "address": "127.0.0.1:1", "allow_origins": '
      .. '["*.example.com"] }, ' .. realms, {
      '1: websocket.allow_origins[1]: the pattern "*.example.com" has no counterpart: list the '
        .. 'hosts, or "*" for all' })
    assert_refused('{ "websocket": { "address": "127.0.0.1:1", "allow_origins": ["*"],'
      .. '"enable_tracking_cookie": true }, ' .. realms, {
      '1: websocket.enable_tracking_cookie: with "*" in allow_origins every web page could use '
        .. "the cookie; list the origins" })
    assert_refused('{ "websocket": { "address": "127.0.0.1:1", "cert_file": "x.pem",\n"key_file": '
      .. '"nowhere.pem" }, ' .. realms, {
      '1: websocket.cert_file: cannot read "x.pem": No such file or directory',
      '2: websocket.key_file: cannot read "nowhere.pem": No such file or directory' })
  end)

  it("is checked like any other", function()
    assert_refused('{ "websocket": { "address": 8080 }, "router": [ 1 ] }', {
      "1: websocket.address: found the number 8080; allowed: a string",
      "1: router: found a list; allowed: an object" })
    assert_refused('{ "router": { "realms": [ { "uri": "a b", "anonymous_auth": true }, {} ] },\n'
      .. '"rawsocket": { "tcp_address": "localhost" } }', {
      "1: router.realms[2]: a realm needs a uri" })
    assert_refused('{ "router": { "realms": [ { "uri": "a b", "anonymous_auth": true } ] },\n'
      .. '"rawsocket": { "tcp_address": "localhost" } }', {
      '2: rawsocket: "localhost": the port is missing; allowed: "host:port", "[::1]:port", '
        .. '"tls://host:port" or "unix:/path"',
      '1: router.realms[1]: "a b" is no realm name: components without spaces or #, separated by '
        .. "dots" })
    assert_refused("{}", { " no address: websocket.address, rawsocket.tcp_address or "
      .. "rawsocket.unix_address is needed" })
    assert_refused("[]", { "1: the file holds no JSON object" })
  end)

  it("is JSON", function()
    for _, text in ipairs { "", "{", '{ "a": 1, }', '{\n"a" 1 }', "{} {}", '{ "a": "\xff" }',
      "return {}", '{ "router": ' .. ("["):rep(60) } do
      local code, out, lines = run(text)
      assert.equal(78, code)
      assert.equal("", out)
      assert.equal(1, #lines)
    end
  end)
end)
