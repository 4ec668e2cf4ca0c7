--- Options of a realm: every value that they take, in every position, and what they refuse.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local function run(flags, config)
  local program = daemon.spawn { flags = flags, config = config }
  local code = program:wait()
  program:assert_clean()
  return code, program:out(), program:log()
end

-- A file whose options stand on line 4, in a realm by name or in the template.
local places = {
  ['realms["realm1"]'] = 'return {\n  listen = { "127.0.0.1:0" },\n'
    .. '  realms = { realm1 = { policy = "open",\n%s\n  } },\n}\n',
  realm_template = 'return {\n  listen = { "127.0.0.1:0" },\n'
    .. '  realm_template = { policy = "open",\n%s\n  },\n}\n',
}

local function realm_of(text)
  local config = assert(load(text))()
  return config.realm_template or config.realms.realm1
end

-- The realm as --print-config shows it; what it shows is read back as the same.
local function printed(place, options)
  local code, first, log = run("--print-config", places[place]:format(options))
  assert.same({ 0, "" }, { code, log })
  local _, second = run("--print-config", first)
  assert.equal(first, second)
  return realm_of(first)
end

local function assert_refused(place, options, lines)
  local expected = {}
  for i, line in ipairs(lines) do
    expected[i] = "nexusd.lua:" .. line:gsub("REALM", (place:gsub("%%", "%%%%"))) .. "\n"
  end
  local code, out, log = run("--check-config", places[place]:format(options))
  assert.equal(table.concat(expected), log)
  assert.same({ 78, "" }, { code, out })
end

local is_bool = "true or false"
local size = "bytes or a string such as \"16MiB\", from 0 to 1024GiB"

-- name, default, values as Lua (and as they are printed when that is another way), what is not
-- taken (and how that is called), what is.
local rows = {
  { "roles", { "broker", "dealer" },
    { ['{ "broker" }'] = { "broker" }, ['{ "dealer" }'] = { "dealer" },
      ['{ "dealer", "broker", "dealer" }'] = { "broker", "dealer" } },
    { ["{}"] = "an empty table", ['"broker"'] = 'the string "broker"',
      ['{ "router" }'] = "a table" },
    'a list of one or more of "broker", "dealer"' },
  { "trustlevel", "none",
    { ["0"] = 0, ["7"] = 7, ["2147483648"] = 2147483648, ["3.0"] = 3, ['"none"'] = "none" },
    { ["-1"] = "the number -1", ["2147483649"] = "the number 2147483649",
      ["0.5"] = "the number 0.5", ['"7"'] = 'the string "7"', ["{}"] = "an empty table" },
    'an integer from 0 to 2147483648, or "none"' },
  { "lookup_miss", "null", { ['"null"'] = "null", ['"zero"'] = "zero" },
    { ["0"] = "the number 0", ['"nil"'] = 'the string "nil"' }, '"null", "zero"' },
  { "kill_reason", "killed", { ['"killed"'] = "killed", ['"normal"'] = "normal" },
    { ['"wamp.close.normal"'] = 'the string "wamp.close.normal"' }, '"killed", "normal"' },
  { "kill_results", "standard",
    { ['"standard"'] = "standard", ['"count"'] = "count", ['"list"'] = "list" },
    { ['"lists"'] = 'the string "lists"', ["true"] = "true" }, '"standard", "count", "list"' },
  { "history_result", "flat", { ['"flat"'] = "flat", ['"list"'] = "list" },
    { ["false"] = "false" }, '"flat", "list"' },
  { "history_max_result", 1000, { ["1"] = 1, ["10000000"] = 10000000 },
    { ["0"] = "the number 0", ["10000001"] = "the number 10000001" },
    "an integer from 1 to 10000000" },
  { "retained_max_topics", 10000, { ["1"] = 1, ["100000000"] = 100000000 },
    { ["0"] = "the number 0", ['"many"'] = 'the string "many"' },
    "an integer from 1 to 100000000" },
  { "retained_max_bytes", "64MiB",
    { ["4096"] = "4KiB", ["4097"] = 4097, ['"5GiB"'] = "5GiB", ["6442450944"] = "6GiB",
      ['"1024GiB"'] = "1024GiB", ['"4.5 KiB"'] = 4608 },
    { ['"1025GiB"'] = 'the string "1025GiB"', ["4095"] = "the number 4095",
      ['"1TiB"'] = 'the string "1TiB"' },
    "bytes or a string such as \"16MiB\", from 4KiB to 1024GiB" },
  { "reserved_prefixes", { "wamp", "nexus" },
    { ['{ "wamp" }'] = { "wamp" }, ['{ "wamp", "com.acme" }'] = { "wamp", "com.acme" } },
    { ["{}"] = "an empty table", ['"wamp"'] = 'the string "wamp"', ["{ 1 }"] = "a table",
      ['{ "wamp", "" }'] = "a table" }, "a list of strings" },
  { "compat", "none",
    { ['"none"'] = "none", ['"nexus"'] = "nexus", ['"crossbar"'] = "crossbar" },
    { ['"bondy"'] = 'the string "bondy"', ["true"] = "true" }, '"none", "nexus", "crossbar"' },
}
for _, name in ipairs { "role_check", "anonymous_admin", "meta_strict", "meta_skips_causer",
  "enable_modify_details" } do
  rows[#rows + 1] = { name, false, { ["true"] = true, ["false"] = false },
    { ["1"] = "the number 1", ['"true"'] = 'the string "true"' }, is_bool }
end

local no_prefix = "; allowed: URIs without a dot at the end: components "

for place in pairs(places) do
  describe("in " .. place .. " the option", function()
    for _, row in ipairs(rows) do
      local name, default, values, wrong, allowed = table.unpack(row)
      it(name .. " takes what it may be, and nothing else", function()
        assert.same(default, printed(place, "")[name])
        for written, value in pairs(values) do
          assert.same(value, printed(place, ("%s = %s,"):format(name, written))[name])
        end
        for written, found in pairs(wrong) do
          assert_refused(place, ("%s = %s,"):format(name, written), {
            ("4: REALM.%s: found %s; allowed: %s"):format(name, found, allowed) })
        end
      end)
    end

    it("reserved_prefixes takes URIs only", function()
      assert_refused(place, 'reserved_prefixes = { "wamp.", "wamp", "a b" },', {
        '4: REALM.reserved_prefixes: found "wamp."' .. no_prefix
          .. "without spaces or #, separated by dots",
        '4: REALM.reserved_prefixes: found "a b"' .. no_prefix
          .. "without spaces or #, separated by dots",
      })
      assert_refused(place, 'reserved_prefixes = { "wamp", "Acme" }, uri_check = "strict",', {
        '4: REALM.reserved_prefixes: found "Acme"' .. no_prefix
          .. "of a-z, 0-9 and _ (uri_check is strict), separated by dots" })
      assert_refused(place, 'reserved_prefixes = { "nexus", "wamps" },', {
        '4: REALM.reserved_prefixes: "wamp" is missing; allowed: a list with "wamp" in it: the '
          .. "meta API has its place there" })
    end)

    it("http_headers_received takes names of headers that prove nothing", function()
      assert.is_nil(printed(place, "").http_headers_received)
      assert.same({ "user-agent", "host" },
        printed(place, 'http_headers_received = { "user-agent", "host" },').http_headers_received)
      for _, name in ipairs { "User-Agent", "cookie", "authorization", "x y" } do
        assert_refused(place, ('http_headers_received = { "host", %q },'):format(name), {
          ('4: REALM.http_headers_received: found "%s"; allowed: names of headers in lower case, '
            .. 'but not "cookie" nor "authorization"'):format(name) })
      end
    end)

    it("event_history is a list of tables", function()
      assert.is_nil(printed(place, "").event_history)
      assert.is_nil(printed(place, "event_history = {},").event_history)
      assert.same({
        { uri = "com.acme", match = "exact", limit = 1000, max_age = 0, max_bytes = "64MiB" },
        { uri = "com.acme", match = "prefix", limit = 1, max_age = "90s", max_bytes = "4GiB" },
        { uri = "com..x", match = "wildcard", limit = 10000000, max_age = "3650d", max_bytes = 3 },
        { uri = "", match = "prefix", limit = 1000, max_age = "1d", max_bytes = "1KiB" },
        { uri = "Com.Acme", match = "prefix", limit = 1000, max_age = 0, max_bytes = "64MiB" },
      }, printed(place, [[
        event_history = {
          { uri = "com.acme" },
          { uri = "com.acme", match = "prefix", limit = 1, max_age = 90, max_bytes = "4GiB" },
          { match = "wildcard", uri = "com..x", limit = 10000000, max_age = "3650d",
            max_bytes = 3 },
          { uri = "", match = "prefix", max_age = "24h", max_bytes = 1024 },
          { uri = "Com.Acme", match = "prefix" },
        },]]).event_history)
    end)

    it("event_history refuses what is none", function()
      assert_refused(place, 'event_history = "com.acme",', {
        '4: REALM.event_history: found the string "com.acme"; allowed: a list of tables, at most '
          .. "10000, e.g. { { uri = ... } }" })
      assert_refused(place, 'event_history = { uri = "com.acme" },', {
        '4: REALM.event_history.uri: found the string "com.acme"; allowed: a table of options, '
          .. "without a name" })
      assert_refused(place, [[event_history = {
        {},
        { uri = "com.acme", limt = 5 },
        { uri = 5 },
        { uri = "com.acme.x", match = "prefx", limit = 0, max_age = "1y", max_bytes = -1 },
        "com.acme",
      },]], {
        "5: REALM.event_history[1]: uri is missing; allowed: a string",
        '6: REALM.event_history[2].limt: no such option (did you mean "limit"?)',
        "7: REALM.event_history[3].uri: found the number 5; allowed: a string",
        "8: REALM.event_history[4].limit: found the number 0; allowed: an integer from 1 to "
          .. "10000000",
        '8: REALM.event_history[4].match: found the string "prefx"; allowed: "exact", "prefix", '
          .. '"wildcard"',
        '8: REALM.event_history[4].max_age: found the string "1y"; allowed: seconds or a string '
          .. 'such as "7d", from 0s to 3650d',
        "8: REALM.event_history[4].max_bytes: found the number -1; allowed: " .. size,
        '9: REALM.event_history[5]: found the string "com.acme"; allowed: a table of options, '
          .. "without a name",
      })
    end)

    it("event_history takes URIs as SUBSCRIBE does", function()
      local loose = "components without spaces or #, separated by dots"
      local strict = "components of a-z, 0-9 and _ (uri_check is strict), separated by dots"
      local prefix = "the beginning of topics; only what follows the last dot may be empty: "
      assert_refused(place, [[event_history = {
        { uri = "a..b" },
        { uri = "", match = "exact" },
        { uri = "a b", match = "prefix" },
        { uri = "a#b", match = "wildcard" },
      },]], {
        '5: REALM.event_history[1].uri: found "a..b"; allowed: a topic: ' .. loose,
        '6: REALM.event_history[2].uri: found ""; allowed: a topic: ' .. loose,
        '7: REALM.event_history[3].uri: found "a b"; allowed: ' .. prefix .. loose,
        '8: REALM.event_history[4].uri: found "a#b"; allowed: a pattern of topics; each component '
          .. "may be empty: " .. loose,
      })
      assert_refused(place, [[uri_check = "strict", event_history = {
        { uri = "Com" },
        { uri = "com.Acme.", match = "prefix" },
      },]], {
        '5: REALM.event_history[1].uri: found "Com"; allowed: a topic: ' .. strict,
        '6: REALM.event_history[2].uri: found "com.Acme."; allowed: ' .. prefix .. strict,
      })
    end)

    it("event_history has each subscription once", function()
      assert_refused(place, [[event_history = {
        { uri = "com.acme" },
        { uri = "com.acme", match = "prefix", limit = 5 },
        { uri = "com.acme", match = "exact", limit = 7 },
        { match = "prefix", uri = "com.acme" },
      },]], {
        '7: REALM.event_history[3]: "com.acme" with match = "exact" is in the list twice, see '
          .. "REALM.event_history[1] on line 5",
        '8: REALM.event_history[4]: "com.acme" with match = "prefix" is in the list twice, see '
          .. "REALM.event_history[2] on line 6",
      })
    end)

    it("event_history needs both roles", function()
      for _, role in ipairs { "broker", "dealer" } do
        assert_refused(place, ('roles = { %q },\nevent_history = { { uri = "" } },'):format(role), {
          "5: REALM.event_history: roles leaves one out; allowed: with both roles: events come by "
            .. "a broker, wamp.subscription.get_events by a dealer",
          '5: REALM.event_history[1].uri: found ""; allowed: a topic: components without spaces or '
            .. "#, separated by dots" })
        assert.same({ role }, printed(place, ("roles = { %q }, event_history = {},"):format(role))
          .roles)
      end
    end)

    it("event_history has its bound", function()
      local code, _, log = run("--check-config", ([[
        local all = {}
        for i = 1, 10001 do all[i] = { uri = "t" .. i } end
        local realm = { policy = "open", event_history = all }
        return { listen = { "127.0.0.1:0" }, %s }]]):format(place == "realm_template"
          and "realm_template = realm" or "realms = { realm1 = realm }"))
      assert.equal(78, code)
      assert.matches("event_history: found a table; allowed: a list of tables, at most 10000", log)
    end)
  end)
end
