-- The configuration file: what is refused and with which words, and the ways to print it.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local function run(flags, config)
  local program = daemon.spawn { flags = flags, config = config }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

-- The lines that the file leads to; each begins with the name of the file.
local function assert_refused(config, lines)
  local code, out, log = run("--check-config", config)
  local expected = {}
  for i, line in ipairs(lines) do
    expected[i] = "nexusd.lua:" .. line .. "\n"
  end
  assert.equal(table.concat(expected), log)
  assert.equal(78, code)
  assert.equal("", out)
end

-- A file with one realm and one address, and more lines from line 4 on.
local function with(more)
  return 'return {\n  listen = { "127.0.0.1:0" },\n  realms = { realm1 = { policy = "open" } },\n'
    .. more .. "\n}\n"
end

describe("a configuration", function()
  it("that is right is said to be right", function()
    local code, out, log = run("--check-config", with(""))
    assert.same({ 0, "nexusd.lua: no errors\n", "" }, { code, out, log })
  end)

  it("with an unknown key is refused, with a guess", function()
    assert_refused(with("  worker = 1,"), {
      '4: worker: no such option (did you mean "workers"?)' })
    assert_refused(with("  limits = {\n    max_conections = 1,\n  },"), {
      '5: limits.max_conections: no such option (did you mean "max_connections"?)' })
    assert_refused(with("  zebra = 1,"), { "4: zebra: no such option" })
    assert_refused(with('  ["log level"] = 1,'), { '4: ["log level"]: no such option' })
    assert_refused(with("  1,"), { "4: [1]: found the number 1; this table has no list items" })
  end)

  it("tells every error, in the order of the file", function()
    assert_refused([[
-- listen = realms = {
return {
  workers = 0, --[=[ realms ]=]
  listen = {
    "127.0.0.1:0",
    "127.0.0.1",
    { address = "127.0.0.1:99999", serialisers = { "json" } },
  },
  realms = {
    ["realm1"] = {
      uri_chek = "strict",
      policy = "open",
      queue = { overflow = "explode", messages = 1.5 },
    },
    realm2 = {},
  },
  log = "loud",
}
]], {
      "3: workers: found the number 0; allowed: an integer from 1 to 64",
      '6: listen[2]: "127.0.0.1": the port is missing; allowed: "host:port", "[::1]:port", '
        .. '"tls://host:port" or "unix:/path"',
      '7: listen[3].serialisers: no such option (did you mean "serializers"?)',
      '7: listen[3]: "127.0.0.1:99999": the port is not a number from 0 to 65535; allowed: '
        .. '"host:port", "[::1]:port", "tls://host:port" or "unix:/path"',
      '11: realms["realm1"].uri_chek: no such option (did you mean "uri_check"?)',
      '13: realms["realm1"].queue.messages: found the number 1.5; allowed: an integer from 1 to '
        .. "100000000",
      '13: realms["realm1"].queue.overflow: found the string "explode"; allowed: "drop_newest", '
        .. '"drop_oldest", "conflate", "disconnect"',
      '15: realms["realm2"]: policy is missing: a realm must say who may come in; ready-made '
        .. "policies: " .. daemon.ready_policies,
      '17: log: found the string "loud"; allowed: a table of options',
    })
  end)

  it("finds lines in tables that are put together", function()
    assert_refused([[
local listen = { "127.0.0.1:0" }
local realm = {
  policy = "open",
  max_sesions = 3,
}
local config = { listen = listen }
config.realms = { realm1 = realm }
config.wrkers = 3
return config
]], {
      '4: realms["realm1"].max_sesions: no such option (did you mean "max_sessions"?)',
      '8: wrkers: no such option (did you mean "workers"?)',
    })
  end)

  it("counts lines in strings and comments", function()
    assert_refused("return { --[[\n\n]] agent = [[a\nb]], workers = 1,\n  -- }\n  listen = { "
      .. "\"127.0.0.1:0\" }, realms = { a1a = { policy = 'open' } },\n  limits = { hello_timeout "
      .. '=\n"x" } }', {
      '7: limits.hello_timeout: found the string "x"; allowed: seconds or a string such as '
        .. '"500ms", from 10ms to 1h' })
  end)

  it("is UTF-8 where it holds text", function()
    assert_refused('return {\nagent = "caf\\xe9", listen = {\n{ address = "127.0.0.1:0", '
      .. 'default_realm = "\\xff" } }, realms = { realm1 = { policy = "open",\n'
      .. 'anonymous_role = "\\xf0", reserved_prefixes = { "wamp", "\\xf0" },\n'
      .. 'event_history = { { uri = "b\\xc3", match = "prefix" } } } } }', {
      '2: agent: found the string "caf\\xe9", which is not UTF-8; allowed: a string',
      '3: listen[1].default_realm: found the string "\\xff", which is not UTF-8; allowed: a string '
        .. "that is not empty",
      '4: realms["realm1"].anonymous_role: found the string "\\xf0", which is not UTF-8; allowed: '
        .. "a string that is not empty",
      '4: realms["realm1"].reserved_prefixes: found a table; allowed: a list of strings',
      '5: realms["realm1"].event_history[1].uri: found the string "b\\xc3", which is not UTF-8; '
        .. "allowed: a string",
    })
  end)

  it("needs addresses and realms", function()
    assert_refused("return {}", {
      " listen is missing; allowed: a list of addresses",
      ' no realm: realms = { ["realm1"] = { policy = "open" } } is missing, or a realm_template',
    })
    assert_refused('return { listen = {}, realm_template = { policy = "open" } }', {
      "1: listen: found an empty list; allowed: a list of addresses" })
    assert_refused('return { listen = "127.0.0.1:0", realms = {} }', {
      '1: listen: found the string "127.0.0.1:0"; allowed: a list of addresses',
      '1: no realm: realms = { ["realm1"] = { policy = "open" } } is missing, or a realm_template',
    })
  end)

  it("needs a table", function()
    assert_refused("", { " the file returns nothing; it must end with: return { ... }" })
    assert_refused("return 3", { " the file returns the number 3; it must return a table" })
    assert_refused("return type", { " the file returns a function; it must return a table" })
  end)

  it("is Lua text", function()
    assert_refused("return {\n  listen = }", { "2: unexpected symbol near '}'" })
    assert_refused("\n\nlocal x = nil + 1", {
      "3: attempt to perform arithmetic on a nil value" })
    assert_refused("\27Lua", { " attempt to load a binary chunk (mode is 't')" })
    assert_refused("error { }", { " the file raised an error that is not a string" })
    assert_refused("error('line one\\nline two', 0)", { " line one\\x0aline two" })
  end)

  it("says what is wrong with an address", function()
    local allowed = '; allowed: "host:port", "[::1]:port", "tls://host:port" or "unix:/path"'
    for address, words in pairs {
      [":8080"] = "the host is missing; 0.0.0.0 is every IPv4 address of this machine, [::] "
        .. "every one",
      ["::1:8080"] = "an IPv6 address stands in brackets",
      ["[::1]"] = "the port is missing",
      ["[::g]:1"] = "the host is neither an IP address nor a name",
      ["127.0.0:1"] = "the host is neither an IP address nor a name",
      ["a_b:1"] = "the host is neither an IP address nor a name",
      ["localhost:x"] = "the port is not a number from 0 to 65535",
      ["ws://localhost:1"] = "an address has no protocol in front (only tls:// when it is to be "
        .. "TLS): each address speaks WebSocket, RawSocket and HTTP",
      ["unix:"] = "the path of the socket is missing",
      ["unix:/" .. ("x"):rep(107)] = "the path of the socket is longer than 107 bytes",
    } do
      assert_refused('return {\n  listen = { "' .. address .. '" },\n'
        .. '  realms = { realm1 = { policy = "open" } },\n}', {
        ('2: listen[1]: "%s": %s%s'):format(address, words, allowed) })
    end
  end)

  it("says what does not go together", function()
    local cert = daemon.certificate()
    local function refused(listen, words)
      local file = ('return {\nlisten = {\n%s,\n},\nrealms = { realm1 = { policy = "open" } } }')
        :format(listen)
      assert_refused(file, { "3: listen[1]" .. words })
    end
    local tls = ('tls = { cert = "%s", key = "%s" }'):format(cert.cert, cert.key)
    refused('"tls://127.0.0.1:0"', ": a tls:// address needs tls = { cert = FILE, key = FILE }")
    refused('{ address = "127.0.0.1:0", ' .. tls .. " }",
      ": tls is set, but the address does not begin with tls://")
    refused('{ address = "unix:/tmp/x", ' .. tls .. " }",
      ": tls is for TCP; a unix socket is as private as its file")
    refused('{ address = "127.0.0.1:0", unix_mode = "0600" }',
      ": unix_mode is for unix: addresses")
    refused('{ address = "127.0.0.1:0", cookie = { name = "id" } }',
      ': a cookie needs origins (and not "*"), so that not every web page can use it')
    refused('{ address = "127.0.0.1:0", origins = { "*" }, cookie = { name = "id" } }',
      ': a cookie needs origins (and not "*"), so that not every web page can use it')
    refused('{ address = "127.0.0.1:0", origins = { "https://a" }, cookie = { name = "a b" } }',
      ': cookie.name: found "a b"; allowed: letters, digits and !#$%&\'*+-.^_`|~')
    refused('{ address = "127.0.0.1:0", cookie = { max_age = 1 } }',
      ".cookie: name is missing; allowed: a string that is not empty")
    refused('{ address = "127.0.0.1:0", paths = { "ws" } }',
      ': paths: found "ws"; allowed: paths that begin with /')
    refused('{ address = "127.0.0.1:0", default_subprotocol = "json" }', '.default_subprotocol: '
      .. 'found the string "json"; allowed: "none", "wamp.2.json", "wamp.2.msgpack", "wamp.2.cbor"')
    refused('{ address = "127.0.0.1:0", protocols = { "rawsocket" }, default_subprotocol = '
      .. '"wamp.2.cbor" }', ": default_subprotocol is for WebSockets, which protocols leaves out")
    refused('{ address = "127.0.0.1:0", serializers = { "json", "cbor" }, default_subprotocol = '
      .. '"wamp.2.msgpack" }', ": serializers leaves out what default_subprotocol names")
    refused('{ address = "127.0.0.1:0", default_realm = "a b" }',
      ': default_realm: "a b" is no realm name: components without spaces or #, separated by dots')
    refused('{ address = "tls://127.0.0.1:0", tls = { cert = "nowhere.pem", key = "'
      .. cert.key .. '" } }',
      '.tls.cert: cannot read "nowhere.pem": No such file or directory')
    refused('{ address = "unix:/tmp/x", proxies = { "::1" } }',
      ": proxies is for TCP; a unix socket has no addresses")
    refused('{ address = "unix:/tmp/x", trusted_proxies = { "::1" } }',
      ": trusted_proxies is for TCP; a unix socket has no addresses")
    refused(('{ address = "tls://127.0.0.1:0", tls = { cert = %q, key = %q }, trusted_proxies = '
      .. '{ "::1" }, forwarded_header = "forwarded" }'):format(cert.cert, cert.key),
      ': forwarded_header = "forwarded" cannot be read within TLS; allowed with trusted_proxies: '
      .. '"x-forwarded-for", or an address without TLS')
    for _, name in ipairs { "User-Agent", "cookie", "x y", ("x"):rep(65) } do
      refused(('{ address = "127.0.0.1:0", headers = { "host", "%s" } }'):format(name),
        ('.headers: found "%s"; allowed: names of headers in lower case, up to 64 '
        .. 'characters, but not "cookie": policies have transport.cookies'):format(name))
    end
    refused('{ address = "127.0.0.1:0", trusted_proxies = { "proxy.example.com" } }',
      '.trusted_proxies: found "proxy.example.com"; allowed: addresses such as "10.0.0.1" and '
      .. 'ranges such as "10.0.0.0/8" or "2001:db8::/32"')
    refused('{ address = "127.0.0.1:0", proxies = { "::1", "10.0.0.0/33" } }',
      '.proxies: found "10.0.0.0/33"; allowed: addresses such as "10.0.0.1" and ranges such as '
        .. '"10.0.0.0/8" or "2001:db8::/32"')
    local function tls_refused(more, words)
      refused(('{ address = "tls://127.0.0.1:0", tls = { cert = %q, key = %q, %s } }'):format(
        cert.cert, cert.key, more), ".tls." .. words)
    end
    tls_refused('min_version = "1.1"',
      'min_version: found the string "1.1"; allowed: "1.2", "1.3"')
    tls_refused('max_version = 1.3', 'max_version: found the number 1.3; allowed: "1.3", "1.2"')
    tls_refused('min_version = "1.3", max_version = "1.2"',
      "min_version: it is above max_version")
    tls_refused('ciphers = ""', 'ciphers: found the string ""; allowed: a string that is not empty')
    tls_refused('ciphers = "ECDHE+AESGCM:AES512:!RC4"',
      'ciphers: OpenSSL has no cipher of TLS 1.2 for "AES512"')
    tls_refused('ciphers = "!ALL"', 'ciphers: OpenSSL has no cipher of TLS 1.2 for "!ALL"')
    tls_refused('ciphers = "TLS_AES_128_GCM_SHA256"',
      'ciphers: OpenSSL has no cipher of TLS 1.2 for "TLS_AES_128_GCM_SHA256"')
    tls_refused('client_certificate = "maybe"',
      'client_certificate: found the string "maybe"; allowed: "none", "optional", "required"')
    tls_refused('client_certificate = "optional"', "client_certificate: it needs client_ca")
    tls_refused(("client_ca = %q"):format(cert.cert),
      'client_ca: it has no use while client_certificate is "none"')
    tls_refused(("client_certificate = 'required', client_ca = %q"):format(cert.key),
      ("client_ca %s: no certificate or crl found"):format(cert.key))
    local function hosts_refused(hosts, words)
      local list = {}
      for i, host in ipairs(hosts) do
        list[i] = ("{ host = %q, cert = %q, key = %q }"):format(host, cert.cert, cert.key)
      end
      tls_refused(("certificates = { %s }"):format(table.concat(list, ", ")),
        "certificates" .. words)
    end
    for _, host in ipairs { "a b", "*", "*.", "a.*.b", "a..b", ".a", "a.", ("a"):rep(256) } do
      hosts_refused({ "a.b", host },
        (': "%s" is no host name, and no "*." with one behind it'):format(host))
    end
    hosts_refused({ "a.b", "b", "A.B" }, ': "A.B" is in the list twice')
    hosts_refused({ "" }, '[1].host: found the string ""; allowed: a string that is not empty')
    tls_refused(("certificates = { { cert = %q, key = %q } }"):format(cert.cert, cert.key),
      "certificates[1]: host is missing; allowed: a string that is not empty")
    tls_refused(("certificates = { { host = 'a', cert = %q, key = 'nowhere.pem' } }"):format(
      cert.cert),
      'certificates[1].key: cannot read "nowhere.pem": No such file or directory')
    tls_refused('ciphersuites = "TLS_AES_128_GCM_SHA256:AES256"',
      'ciphersuites: OpenSSL has no cipher suite of TLS 1.3 named "AES256"')
    assert_refused('return { realms = { realm1 = { policy = "open" } },\nlisten = { '
      .. '"127.0.0.1:80", "127.0.0.1:80" } }', {
      '2: listen[2]: "127.0.0.1:80" is in the list twice' })
    assert_refused(with('  realm_template = { policy = "open", queue = { bytes = "1MiB", '
      .. 'hard_bytes = "4KiB" } }'), {
      "4: realm_template: queue.hard_bytes (4096) is less than queue.bytes (1048576)" })
  end)

  it("says which realm names are none, and which not every client takes", function()
    assert_refused('return { listen = { "127.0.0.1:0" }, realms = {\n'
      .. '["a..b"] = { policy = "open" },\n'
      .. '["Com.Acme"] = { policy = "open", uri_check = "strict" },\n'
      .. '{ policy = "open" } } }', {
      '2: realms["a..b"]: "a..b" is no realm name: components without spaces or #, separated by '
        .. "dots",
      '3: realms["Com.Acme"]: "Com.Acme" is no realm name: components of a-z, 0-9 and _ '
        .. "(uri_check is strict), separated by dots",
      '4: realms[1]: found a table; allowed: ["name"] = { policy = "open" }',
    })
    assert_refused('return { listen = { "127.0.0.1:0" },\n'
      .. 'realms = { ["a\\xff\\xfe"] = { policy = "open" } } }', {
      '2: realms["a\\xff\\xfe"]: "a\\xff\\xfe" is no realm name: components without spaces or #, '
        .. "separated by dots",
    })
    local code, _, log = run("--check-config",
      'return { listen = { "127.0.0.1:0" }, realms = {\n["1"] = { policy = "open" } } }')
    assert.equal(0, code)
    assert.equal('nexusd.lua:2: realms["1"]: some clients refuse that name: a letter and then 2 '
      .. "to 254 of letters, digits, _ - @ . are safe\n", log)
  end)

  it("takes durations and sizes in every form", function()
    local _, out = run("--print-config", with([[
      shutdown_grace = 2,
      limits = { hello_timeout = 0.25, ping_interval = "2m", ping_timeout = "500ms",
                 close_timeout = "1.5s", max_message_size = 65536 },
      realm_template = { policy = "open",
        queue = { bytes = "1.5KiB" == "" or "6 KiB", hard_bytes = "1GiB" } },
    ]]))
    local config = load(out)()
    assert.equal("2s", config.shutdown_grace)
    assert.equal("250ms", config.limits.hello_timeout)
    assert.equal("2m", config.limits.ping_interval)
    assert.equal("500ms", config.limits.ping_timeout)
    assert.equal("1500ms", config.limits.close_timeout)
    assert.equal("64KiB", config.limits.max_message_size)
    assert.equal("6KiB", config.realm_template.queue.bytes)
    assert.equal("1GiB", config.realm_template.queue.hard_bytes)
    for _, wrong in ipairs { "1e3", "10", "-1s", "0x1s", "1,5s", "s", "1 parsec", "10S",
      "0.0001s" } do
      assert_refused(with(("  shutdown_grace = %q,"):format(wrong)), {
        ('4: shutdown_grace: found the string "%s"; allowed: seconds or a string such as "500ms", '
          .. "from 10ms to 1h"):format(wrong) })
    end
  end)

  it("reads environment variables, and nothing else", function()
    local program = daemon.spawn {
      environment = "NEXUS_SPEC_LEVEL=warn", flags = "--print-config",
      config = with('  log = { level = env "NEXUS_SPEC_LEVEL" or "info", '
        .. 'file = env "NEXUS_SPEC_NOT_SET" },'),
    }
    assert.equal(0, program:wait())
    assert.matches('level = "warn"', program:out())
    assert.matches("%-%- file = nil", program:out())
    for _, name in ipairs { "io", "os", "require", "load", "loadstring", "dofile", "loadfile",
      "debug", "package", "coroutine", "pcall", "xpcall", "setmetatable", "getmetatable", "rawset",
      "collectgarbage", "print", "_G" } do
      assert_refused(("\nreturn %s"):format(name), {
        ("2: found the name %s, which is nowhere defined; a text is in quotes"):format(name) })
    end
  end)

  it("has names of its own, and knows what is none", function()
    local program = daemon.spawn { flags = "--print-config",
      config = "loud = 'warn'\n" .. with "  log = { level = loud }," }
    assert.equal(0, program:wait())
    assert.matches('level = "warn"', program:out())
    assert_refused("return {\n  realms = { [com.acme] = {} },\n}", {
      "2: found the name com, which is nowhere defined; a text is in quotes" })
  end)

  it("that loops is stopped", function()
    assert_refused("while true do end", {
      "1: stopped after 50 million instructions: does it loop?" })
    assert_refused("local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end", {
      " stopped: it uses more than 64 MiB" })
    assert_refused("local t = {}\nt.deep = t\nreturn t", {
      "2: deep: no such option",
      " listen is missing; allowed: a list of addresses",
      ' no realm: realms = { ["realm1"] = { policy = "open" } } is missing, or a realm_template',
    })
    assert_refused("local t = {}\nfor i = 1, 9 do t[i] = t end\nreturn t", {
      " more than 200000 values" })
  end)

  it("that stays within one function of C is stopped #slow", function()
    local program = daemon.spawn { flags = "--check-config", config = 'return (""):rep(1 << 60)' }
    assert.truthy(daemon.eventually(function() return program:code() end, 30))
    assert.equal(78, program:wait())
    assert.equal("nexusd: the configuration was stopped after 10 seconds\n", program:log())
  end)

  it("that cannot be read is refused", function()
    for path, words in pairs {
      ["nowhere.lua"] = "nowhere.lua: cannot read: No such file or directory\n",
      ["/"] = "/: cannot read: it is a folder\n",
    } do
      local code, _, log = run("--config " .. path)
      assert.same({ 78, words }, { code, log })
    end
  end)
end)

describe("printing a configuration", function()
  it("gives a configuration that prints the same", function()
    local cert = daemon.certificate()
    local _, first = run("--print-config", ([[
      return {
        listen = {
          { address = "127.0.0.1:0", trusted_proxies = { "192.0.2.0/24" },
            forwarded_header = "forwarded" },
          { address = "tls://[::1]:8443", tls = { cert = %q, key = %q, optional = true,
            min_version = "1.3", ciphers = "ECDHE+AES256:!SHA1",
            ciphersuites = "TLS_AES_256_GCM_SHA384",
            client_certificate = "optional", client_ca = %q,
            certificates = { { host = "*.example.com", cert = %q, key = %q } } },
            origins = { "https://a\"b\\c" }, cookie = { name = "id", max_age = "1h" },
            default_subprotocol = "wamp.2.cbor", serializers = { "cbor" },
            protocols = { "websocket" }, paths = { "/x" },
            proxies = { "10.0.0.0/8", "::1" },
            headers = { "x-acme-key" },
            default_realm = "realm1", rawsocket_min_length = "1KiB" },
          { address = "unix:/tmp/nexus spec.sock", unix_mode = "0600" },
        },
        realms = {
          realm1 = { policy = "open", uri_check = "strict", request_id_check = "strict",
            ppt_compat = false, anonymous_role = "gäst", empty_eligible_is_absent = true,
            max_sessions = 5, goodbye_timeout = "1s", queue = { overflow = "conflate" } },
          ["com.acme-2"] = { policy = "open" },
        },
        realm_template = { policy = "open", max_subscriptions = 7 },
        max_realms = 9, workers = 2, agent = "", shutdown_grace = "90s",
        log = { level = "debug", format = "json", file = "/tmp/x.log" },
        limits = { max_connections = 10, max_connections_per_address = 3 },
      }]]):format(cert.cert, cert.key, cert.cert, cert.cert, cert.key))
    local code, second, log = run("--print-config", first)
    assert.same({ 0, "" }, { code, log })
    assert.equal(first, second)
    local config = load(first)()
    assert.equal('https://a"b\\c', config.listen[2].origins[1])
    assert.equal("conflate", config.realms.realm1.queue.overflow)
    assert.equal(7, config.realm_template.max_subscriptions)
    assert.equal("", config.agent)
  end)

  it("gives the sample that ships with it", function()
    local root = debug.getinfo(1, "S").source:match("^@(.*)spec/daemon/")
    local code, out = run("--sample-config")
    assert.equal(0, code)
    assert.equal(read_file(root .. "config/nexusd.lua"), out)
    local with_sample, _, log = run("--check-config", out)
    assert.same({ 0, "" }, { with_sample, log })
  end)

  it("shows every option in the sample and in --help", function()
    local _, printed = run("--print-config", with('  realm_template = { policy = "open" },'))
    local _, sample = run("--sample-config")
    local _, help = run("--help")
    local count = 0
    for name in printed:gmatch("\n *%-?%-? ?([%l_]+) = [^{]") do
      assert.matches("%f[%w_]" .. name .. " = ", sample)
      assert.matches("[. ]" .. name .. "[%[ ]", help)
      count = count + 1
    end
    assert.is_true(count > 50)
  end)

  it("shows defaults that are what is not set", function()
    local _, sample = run("--sample-config")
    -- every commented option, made active: what is outside of tables within comments
    local active = sample:gsub("\n( +)%-%- ([%l_]+ = [^\n{]*,)", "\n%1%2")
      :gsub("\n( +)%-%- ([%l_]+ = {[^\n]*},)", "\n%1%2")
    local _, plain = run("--print-config", sample)
    local code, same, log = run("--print-config", active)
    assert.same({ 0, "" }, { code, log })
    assert.equal(plain, same)
  end)
end)
