--- What policies say about messages that are allowed: changes, filters, answers that are kept.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1,
  attributes = { org = "string", teams = "list", level = "integer" } }

function policy.authenticate.ticket(hello)
  local name, org = hello.authid:match("^(%w+)_?(%w*)$")
  return { authrole = name == "guest" and "guest" or "user", ticket = "x",
    attributes = { org = org ~= "" and org or nil, teams = { name, "all" }, level = #name } }
end

policy.roles.user = {
  { allow = "*", uri = "com.acme.**" },
  { allow = "call", uri = "nexus.policy.**" },
  { allow = "publish subscribe", uri = "com.acme.own.**",
    filter = nexus.only("org", "{session.org}") },
  { allow = "publish", uri = "com.acme.forced", options = { exclude_me = false } },
  { ask = "*", uri = "com.acme.ask.{what}" },
  { ask = "call", uri = "com.acme.kept.**" },
}
policy.roles.guest = { { allow = "*", uri = "com.acme.**" } }

local asked = 0
policy.procedures["com.acme.asked"] = function() return asked end
policy.procedures["com.acme.echo"] = function(call)
  return nexus.result(call.args, call.kwargs)
end
policy.procedures["com.acme.ask.echo"] = policy.procedures["com.acme.echo"]
policy.procedures["com.acme.ask.other"] = function() return "other" end
policy.procedures["com.acme.kept.role"] = function() return "role" end
policy.procedures["com.acme.kept.args"] = function() return "args" end
policy.procedures["com.acme.set"] = function(call)
  call.caller:set{ org = call.args[1] }
  call.caller.vars.count = (call.caller.vars.count or 0) + 1
  return call.caller.org, call.caller.vars.count
end
policy.procedures["com.acme.me"] = function(call)
  local s = call.caller
  return s.authid, s:has("teams", "all"), s:has("teams", nil), s.open, s.roles.caller ~= nil,
    s.hello.mood, s.joined <= nexus.now()
end

function policy.authorize(request)
  asked = asked + 1
  local what = request.params.what
  if request.uri == "com.acme.kept.role" then
    return nexus.allow{ cache = request.session.authrole == "user" and 60 or nil }
  elseif request.uri == "com.acme.kept.args" then
    return nexus.allow{ cache = request.args[1] and 60 or 60 }
  elseif what == "echo" then
    return nexus.allow{ args = { "changed", request.args[1] }, kwargs = { by = "policy" } }
  elseif what == "move" then
    return nexus.allow{ uri = "com.acme.ask.other" }
  elseif what == "no" then
    return nexus.deny{ error = "com.acme.error.no", message = "never", kwargs = { code = 7 } }
  elseif what == "out" then
    return nexus.deny{ message = "go", close = true }
  elseif what == "news" then
    return nexus.allow{ filter = nexus.only("level", 3) }
  end
end

function policy.intercept.publish(message)
  if message.uri == "com.acme.stopped" then
    return nexus.deny{ error = "com.acme.error.stopped" }
  elseif message.uri == "com.acme.loud" then
    return { args = { tostring(message.args[1]):upper() }, kwargs = { org = message.session.org } }
  end
end
function policy.intercept.call(message)
  if message.uri == "com.acme.old" then return { uri = "com.acme.echo" } end
end
function policy.intercept.result(message)
  if message.procedure == "com.acme.client.good" then
    return { kwargs = { seen = true, caller = message.caller.authid } }
  end
end
function policy.intercept.error(message)
  if message.uri == "com.acme.error.x" then return { args = { "hidden" } } end
end

local calls = 0
policy.procedures["com.acme.predicates"] = function() local n = calls calls = 0 return n end
function policy.filter(event)
  if event.topic == "com.acme.set" then
    return nexus.only("org", event.publisher.org) & nexus.except("teams", "bob")
  elseif event.topic == "com.acme.either" then
    return nexus.only("org", "north") | nexus.only("teams", "carol")
  elseif event.topic == "com.acme.nobody" then
    return false
  elseif event.topic == "com.acme.broken" then
    error("no filter today")
  elseif event.topic == "com.acme.predicate" then
    local org = event.publisher.org
    return function(session) calls = calls + 1 return session.org == org end
  elseif event.topic == "com.acme.waits" then
    return function() nexus.sleep(1) return true end
  elseif event.topic == "com.acme.acts" then
    return function() nexus.realm:publish("com.acme.x") return true end
  elseif event.topic == "com.acme.raises" then
    return function() error { code = 7 } end
  end
end

policy.limits = {
  { action = "publish", role = "guest", per = "session", rate = 0.001, burst = 2 },
  { action = "session", role = "guest", per = "authid", max = 1, over = "replace_oldest" },
}
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("what is allowed, with %d workers,"):format(workers), function()
    local nexusd

    setup(function()
      nexusd = policies.start(policy, { workers = workers })
    end)

    teardown(function()
      nexusd:stop()
    end)

    after_each(function()
      wamp.close_all()
    end)

    local function join(authid)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "ticket" }, authid = authid, mood = "good" })
      policies.answer(client, "ticket", function() return "x" end)
      policies.expect_welcome(client)
      return client
    end

    local function request(client)
      client.last_id = client.last_id + 1
      return client.last_id
    end

    local function ask(client, uri, args, kwargs)
      client:send { wamp.CALL, request(client), wamp.dict {}, uri, wamp.list(args or {}), kwargs }
      return client:receive()
    end

    local function call(client, uri, ...)
      local answer = ask(client, uri, { ... })
      if answer[1] == wamp.ERROR then
        return nil, answer[5], answer
      end
      return table.unpack(answer[4] or {})
    end

    local function subscribe(client, topic)
      client:send { wamp.SUBSCRIBE, request(client), wamp.dict {}, topic }
      local answer = client:receive()
      assert.equal(wamp.SUBSCRIBED, answer[1])
      return client
    end

    local function publish(client, topic, args, options)
      options = options or {}
      options.acknowledge = true
      client:send { wamp.PUBLISH, request(client), wamp.dict(options), topic,
        wamp.list(args or {}) }
      local answer = client:receive()
      return answer[1] == wamp.PUBLISHED, answer[5], answer
    end

    local function hears(client)
      client:send { wamp.CALL, request(client), wamp.dict {}, "com.acme.asked" }
      local message = client:receive()
      if message[1] == wamp.EVENT then
        client:receive()
        return message
      end
    end

    it("is changed by authorize", function()
      local alice = join("alice")
      local answer = ask(alice, "com.acme.ask.echo", { 1 })
      assert.same({ "changed", 1 }, { table.unpack(answer[4]) })
      assert.equal("policy", answer[5].by)
      assert.equal("other", call(alice, "com.acme.ask.move"))
    end)

    it("is denied with details, and the session ended", function()
      local alice = join("alice")
      local _, uri, answer = call(alice, "com.acme.ask.no")
      assert.equal("com.acme.error.no", uri)
      assert.equal("never", answer[6][1])
      assert.equal(7, answer[7].code)
      local _, undecided = call(alice, "com.acme.ask.else")
      assert.equal("wamp.error.not_authorized", undecided)
      _, uri = call(alice, "com.acme.ask.out")
      assert.equal("wamp.error.not_authorized", uri)
      assert.equal(wamp.GOODBYE, alice:receive()[1])
    end)

    it("is intercepted", function()
      local alice, bob = join("alice_north"), subscribe(join("bob"), "com.acme.loud")
      local ok, uri = publish(alice, "com.acme.stopped")
      assert.same({ false, "com.acme.error.stopped" }, { ok, uri })
      assert.is_true(publish(alice, "com.acme.loud", { "hey" }))
      local event = bob:receive()
      assert.equal("HEY", event[5][1])
      assert.equal("north", event[6].org)
      assert.equal("x", call(alice, "com.acme.old", "x"))
      for _, procedure in ipairs { "com.acme.client.good", "com.acme.client.bad" } do
        bob:send { wamp.REGISTER, request(bob), wamp.dict {}, procedure }
        bob:receive()
      end
      alice:send { wamp.CALL, request(alice), wamp.dict {}, "com.acme.client.good", { 1 } }
      bob:send { wamp.YIELD, bob:receive()[2], wamp.dict {}, { "result" } }
      local answer = alice:receive()
      assert.equal("result", answer[4][1])
      assert.is_true(answer[5].seen)
      assert.equal("alice_north", answer[5].caller)
      alice:send { wamp.CALL, request(alice), wamp.dict {}, "com.acme.client.bad", { 1 } }
      bob:send { wamp.ERROR, wamp.INVOCATION, bob:receive()[2], wamp.dict {}, "com.acme.error.x",
        { "secret" } }
      local failed = alice:receive()
      assert.equal("com.acme.error.x", failed[5])
      assert.equal("hidden", failed[6][1])
    end)

    it("reaches those whom filters name", function()
      local north, south = join("ann_north"), join("sam_south")
      local bob, carol = join("bob_north"), join("carol_west")
      for _, client in ipairs { north, south, bob, carol } do
        for _, topic in ipairs { "set", "either", "nobody", "predicate", "own.x", "ask.news" } do
          if topic ~= "ask.news" then subscribe(client, "com.acme." .. topic) end
        end
      end
      local function heard()
        local names = {}
        for name, client in pairs { south = south, bob = bob, carol = carol, north = north } do
          if hears(client) then names[#names + 1] = name end
        end
        table.sort(names)
        return table.concat(names, " ")
      end
      local publisher = join("pat_north")
      assert.is_true(publish(publisher, "com.acme.set"))
      assert.equal("north", heard())
      assert.is_true(publish(publisher, "com.acme.either"))
      assert.equal("bob carol north", heard())
      assert.is_true(publish(publisher, "com.acme.nobody"))
      assert.equal("", heard())
      assert.is_true(publish(publisher, "com.acme.own.x"))
      assert.equal("bob north", heard())
      assert.is_true(publish(publisher, "com.acme.predicate"))
      assert.equal("bob north", heard())
      assert.equal(3, call(publisher, "com.acme.predicates")) -- once for north, south, west
    end)

    it("reaches nobody when a filter fails", function()
      local bob, alice = join("bob"), join("alice")
      for _, topic in ipairs { "broken", "waits", "acts", "raises" } do
        subscribe(bob, "com.acme." .. topic)
      end
      local ok, uri = publish(alice, "com.acme.broken")
      assert.same({ false, "wamp.error.authorization_failed" }, { ok, uri })
      assert.is_true(publish(alice, "com.acme.waits"))
      assert.is_true(publish(alice, "com.acme.acts"))
      assert.is_true(publish(alice, "com.acme.raises"))
      assert.is_nil(hears(bob))
      assert.truthy(nexusd:log():find(
        "cannot wait in a filter predicate; look it up in policy.filter", 1, true))
      assert.truthy(nexusd:log():find("cannot act in a filter predicate", 1, true))
      assert.truthy(nexusd:log():find("policy.lua:%d+: an error that is no text"))
    end)

    it("has the options that a rule forces", function()
      local alice = subscribe(join("alice"), "com.acme.forced")
      assert.is_true(publish(alice, "com.acme.forced"))
      assert.equal(wamp.EVENT, alice:receive()[1])
    end)

    it("is kept, by what was read", function()
      local alice, bob, guest = join("alice"), join("bob"), join("alice_x")
      local before = call(alice, "com.acme.asked")
      for _, client in ipairs { alice, bob, guest, alice } do
        assert.equal("role", call(client, "com.acme.kept.role"))
      end
      assert.equal(before + 1, call(alice, "com.acme.asked"))
      for _ = 1, 2 do assert.equal("args", call(alice, "com.acme.kept.args", 1)) end
      assert.equal(before + 3, call(alice, "com.acme.asked"))
    end)

    it("is limited", function()
      local guest = join("guest")
      assert.is_true(publish(guest, "com.acme.a"))
      assert.is_true(publish(guest, "com.acme.a"))
      local ok, uri, answer = publish(guest, "com.acme.a")
      assert.same({ false, "nexus.error.rate_limited" }, { ok, uri })
      assert.is_true(answer[7].retry_after > 1)
      local second = join("guest")
      assert.equal(wamp.GOODBYE, guest:receive()[1])
      assert.is_true(publish(second, "com.acme.a"))
    end)

    it("knows the session, and changes it", function()
      local alice, bob = join("alice_north"), subscribe(join("bob_south"), "com.acme.own.y")
      local authid, has, has_nil, open, caller, mood, joined = call(alice, "com.acme.me")
      assert.same({ "alice_north", true, false, true, true, "good", true },
        { authid, has, has_nil, open, caller, mood, joined })
      publish(alice, "com.acme.own.y")
      assert.is_nil(hears(bob))
      assert.same({ "south", 1 }, { call(alice, "com.acme.set", "south") })
      publish(alice, "com.acme.own.y")
      assert.truthy(hears(bob))
      assert.same({ "south", 2 }, { call(alice, "com.acme.set", "south") })
      local _, uri = call(alice, "com.acme.set", 5)
      assert.equal("wamp.error.runtime_error", uri)
      assert.truthy(nexusd:log():find(
        "session:set: org: found a number; allowed: a string, nexus.null", 1, true))
    end)
  end)
end

describe("what nexusd check says of", function()
  local function check(text)
    local pipe = assert(io.popen(("%s check '%s' 2>&1"):format(os.getenv "NEXUSD",
      policies.write(text))))
    local out = pipe:read("a")
    pipe:close()
    return out
  end

  it("tables that are no lists, and texts that are none", function()
    local out = check [[
local nexus <const> = require "nexus"
return nexus.policy{ api = 1,
  authenticate = { ticket = print, mine = { verify = print, [1] = 2 } },
  authmethods = { "ticket", mine = 1 },
  limits = { publish = { action = "publish", per = "session", rate = 1 },
    { action = "call", per = "ip", rate = 1, uri = "com.*x" },
    { action = "call", per = "ip\0", rate = 1 } },
  expose = { org = true }, filterable = { "org", "a\xff", [4] = "level" },
  budgets = { authorize = { 1 }, [true] = {} }, intercept = { print },
  roles = { user = { inherit = "" } },
  procedures = { ["com.acme.x"] = { handler = print, describe = "what\xff" } },
}
]]
    for _, words in ipairs {
      "policy.authenticate.mine[1]: no such option",
      "policy.authmethods.mine: no such option; it is a list",
      "policy.limits.publish: no such option; it is a list",
      "policy.limits[1].uri: ",
      'policy.limits[2].per: found "ip',
      "policy.expose.org: no such option; it is a list",
      "policy.filterable[4]: no such option; it is a list",
      "policy.filterable[2]: found ",
      "policy.budgets.authorize[1]: no such option",
      "policy.budgets[true]: no such budget",
      "policy.intercept[1]: no such key",
      'policy.roles.user.inherit: found ""; allowed: the name of a role',
      'policy.procedures["com.acme.x"].describe: found octets that are no text; allowed: UTF-8',
    } do
      assert.truthy(out:find(words, 1, true), words .. "\nin\n" .. out)
    end
  end)

  it("limits, budgets, filters", function()
    local out = check [[
local nexus <const> = require "nexus"
return nexus.policy{ api = 1,
  limits = { { action = "publsh", per = "session", rate = 1 }, { action = "publish", rate = 1 },
    { action = "publish", per = "session", rat = 1 } },
  budgets = { authorise = { wall = 1 }, authorize = { wall = 100 } },
  cache_decisions = "long", filterable = 3, expose = { "org", 7 },
  intercept = { publisch = print },
  roles = { user = { { allow = "publish", uri = "a.b", filter = "org" } } },
  procedures = { ["com.acme.add"] = { handler = print, concurency = 1 },
    ["com.{x}.**"] = print, ["com..y"] = print },
  tasks = { t = { cron = "61 * * * *", run = print },
    never = { cron = "0 0 31 2 *", run = print } },
}
]]
    for _, words in ipairs {
      'policy.limits[1].action: found "publsh"; allowed: "call", "register"',
      "policy.limits[2].per: expected \"session\", \"authid\"",
      'policy.limits[3].rat: no such option (did you mean "rate"?)',
      'policy.budgets.authorise: no such budget (did you mean "authorize"?)',
      "policy.budgets.authorize.wall: found 100; allowed: seconds, above 0 and at most 5",
      'policy.cache_decisions: found "long"; allowed: seconds, from 0 to 86400',
      'policy.filterable: found 3; allowed: "*", or a list of attributes',
      "policy.expose[2]: found 7; allowed: the name of an attribute",
      'policy.intercept.publisch: no such key (did you mean "publish"?)',
      "policy.roles.user[1].filter: found",
      'policy.procedures["com.acme.add"].concurency: no such option (did you mean "concurrency"?)',
      'policy.procedures["com.{x}.**"]: a registration is a prefix',
      'policy.procedures["com..y"]',
      'policy.tasks.t.cron: found "61" for the minute; allowed: numbers from 0 to 59',
      'policy.tasks.never.cron: found "0 0 31 2 *", which never comes; allowed: days that there',
    } do
      assert.truthy(out:find(words, 1, true), ("no %q in:\n%s"):format(words, out))
    end
  end)
end)
