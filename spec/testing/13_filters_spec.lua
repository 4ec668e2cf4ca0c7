--- Who gets an event: options of publishers, policy.filter, predicates, rules, and what they cost.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

local head <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1,
  attributes = { org = "string", level = "integer", teams = "list" } }
function policy.authenticate.anonymous(hello)
  return { authrole = "user", attributes = hello.authextra }
end
policy.roles.user = { { allow = "*", uri = "com.acme.**" } }
local function procedure(name, fn) policy.procedures["com.acme." .. name] = fn end
]]

describe("an event", function()
  local router

  local function open(text)
    router = testing.router { policy = policies.write(head .. text .. "\nreturn policy\n") }
  end

  after_each(function()
    router:close()
  end)

  local function join(attributes, hello)
    return router:join { method = "anonymous", authextra = attributes, hello = hello }
  end

  --- Sessions by name, each with what it has seen of the topic.
  local function crowd(topic, members)
    local all = {}
    for name, member in pairs(members) do
      local session = join(not member.hello and member or {}, member.hello)
      all[name] = session:collect(topic)
    end
    --- The names of those who have seen something since the last time.
    return function()
      local names = {}
      for name, seen in pairs(all) do
        if #seen > 0 then names[#names + 1] = name end
        for i = #seen, 1, -1 do seen[i] = nil end
      end
      table.sort(names)
      return table.concat(names, " ")
    end
  end

  it("goes to those whom its publisher names", function()
    open ""
    local list = testing.list
    local heard = crowd("com.acme.x", {
      a = { org = "acme", level = 3, teams = list { "red", "blue" } },
      b = { org = "beta", level = 4, teams = list { "blue" } },
      c = { org = "acme" },
      d = {},
    })
    local publisher = join {}
    local function reaches(options)
      publisher:publish("com.acme.x", { 1 }, nil, options)
      return heard()
    end
    assert.equal("a b c d", reaches {})
    assert.equal("a c", reaches { eligible_org = { "acme" } })
    assert.equal("a b c", reaches { eligible_org = { "acme", "beta" } }) -- alternatives
    assert.equal("a", reaches { eligible_org = { "acme" }, eligible_level = { 3, 4 } }) -- both
    assert.equal("b", reaches { eligible_teams = { "blue" }, exclude_org = { "acme" } })
    assert.equal("a", reaches { eligible_teams = { "red", "green" } }) -- any member
    assert.equal("b d", reaches { exclude_org = { "acme" } }) -- d has none, and is not excluded
    assert.equal("", reaches { eligible_level = { "3" } }) -- 3 is not "3"
    assert.equal("", reaches { eligible_org = list {} }) -- nobody
    assert.equal("a b c d", reaches { exclude_org = list {} })
    assert.equal("a b c d", reaches { eligible_authrole = { "user" } })
    local id, failure = publisher:try_publish("com.acme.x", { 1 }, nil, { eligible_org = "acme" })
    assert.is_nil(id)
    assert.equal("wamp.error.invalid_argument", failure.uri)
    assert.equal("", heard())
  end)

  it("is matched with what the policy gives a session, else with what that claims", function()
    open ""
    local heard = crowd("com.acme.x", {
      given = { org = "acme" },
      claims = { hello = { org = "acme", shoes = "black", size = 43, open = true } },
      other = { hello = { shoes = testing.list { "black", "brown" } } },
    })
    local publisher = join {}
    local function reaches(options)
      publisher:publish("com.acme.x", { 1 }, nil, options)
      return heard()
    end
    assert.equal("given", reaches { eligible_org = { "acme" } })
    assert.equal("claims other", reaches { exclude_org = { "acme" } })
    assert.equal("claims other", reaches { eligible_shoes = { "black" } })
    assert.equal("claims", reaches { eligible_size = { 43 } })
    assert.equal("claims", reaches { eligible_open = { true } })
  end)

  it("can only be filtered by what policy.filterable lists", function()
    open 'policy.filterable = { "org", "shoes" }'
    local heard = crowd("com.acme.x", { a = { org = "acme", level = 3 }, b = {} })
    local publisher = join {}
    publisher:publish("com.acme.x", { 1 }, nil, { eligible_org = { "acme" } })
    assert.equal("a", heard())
    for _, option in ipairs { "eligible_level", "exclude_level", "eligible_size" } do
      local id, failure = publisher:try_publish("com.acme.x", { 1 }, nil, { [option] = { 3 } })
      assert.is_nil(id)
      assert.equal("wamp.error.option_not_allowed", failure.uri)
    end
    assert.equal("", heard())
  end)

  local everything <const> = [[
local asked = {}
procedure("asked", function() local all <const> = asked asked = {} return nexus.list(all) end)
function policy.filter(event)
  local how <const> = event.args[1]
  asked[#asked + 1] = event.publication
  if how == "true" then return true end
  if how == "false" then return false end
  if how == "only" then return nexus.only("org", event.publisher.org) end
  if how == "except" then return nexus.except("teams", "red", "green") end
  if how == "both" then return nexus.only("org", "acme") & nexus.except("teams", "red") end
  if how == "either" then return nexus.only("org", "beta") | nexus.only("teams", "red") end
  if how == "some fail" then
    return function(session)
      if session.org == "beta" then error("not for beta") end
      return true
    end
  end
  if how == "number" then return 7 end
  if how == "fails" then error("no filter today") end
  if how == "nil org" then return nexus.only("org", nil) end
end
]]

  it("is narrowed by what policy.filter says", function()
    open(everything)
    local heard = crowd("com.acme.x", {
      a = { org = "acme", teams = testing.list { "red" } }, b = { org = "beta" },
      b2 = { org = "beta" }, c = { org = "acme" }, d = {},
    })
    local publisher = join { org = "acme" }
    local function reaches(how, options)
      local id, failure = publisher:try_publish("com.acme.x", { how }, nil, options)
      return heard(), failure and failure.uri or math.type(id)
    end
    assert.same({ "a b b2 c d", "integer" }, { reaches() })
    assert.same({ "a b b2 c d", "integer" }, { reaches "true" })
    assert.same({ "", "integer" }, { reaches "false" })
    assert.same({ "a c", "integer" }, { reaches "only" })
    assert.same({ "b b2 c d", "integer" }, { reaches "except" })
    assert.same({ "c", "integer" }, { reaches "both" })
    assert.same({ "a b b2", "integer" }, { reaches "either" })
    assert.same({ "c", "integer" }, { reaches("except", { eligible_org = { "acme" } }) })
    assert.same({ "", "integer" }, { reaches("only", { eligible_org = { "beta" } }) })
    assert.same({ "a c d", "integer" }, { reaches "some fail" })
    assert.equal(1, #router:log { msg = "not for beta" }) -- once for all with the same values
    for _, how in ipairs { "number", "fails", "nil org" } do
      assert.same({ "", "wamp.error.authorization_failed" }, { reaches(how) })
    end
    assert.equal(1, #router:log { msg = "policy.filter returned a number; allowed: nil, true, "
      .. "false, a filter, a function" })
    assert.equal(1, #router:log { msg = "nexus.only: found nil; allowed: a text, a number" })
  end)

  it("has its number when policy.filter sees it, once", function()
    open(everything)
    local listener = join {}
    local seen = listener:collect "com.acme.x"
    local publisher = join {}
    local first = publisher:publish("com.acme.x", { "x" }, nil, { acknowledge = true })
    local second = publisher:publish("com.acme.x", { "x" }, nil, { acknowledge = true })
    assert.same({ first, second }, { seen[1].publication, seen[2].publication })
    assert.same(testing.list { first, second }, listener:call "com.acme.asked")
  end)

  it("never enters Lua when nobody hears it", function()
    open(everything)
    local publisher = join {}
    publisher:publish("com.acme.x", { "fails" }, nil, { acknowledge = true })
    assert.same(testing.list {}, publisher:call "com.acme.asked")
  end)

  local counting <const> = [[
local runs = 0
procedure("runs", function() local n <const> = runs runs = 0 return n end)
function policy.filter(event)
  if event.args[1] == "org" then
    return function(session) runs = runs + 1 return session.org ~= "org1" end
  end
  return function(session) runs = runs + 1 return session.id ~= 0 end
end
]]

  it("has its predicate run once for those who are equal in what that reads", function()
    open(counting)
    local seen = {}
    for i = 1, 100 do
      join({ org = "org" .. i % 5 }):subscribe("com.acme.x", function() seen[#seen + 1] = i end)
    end
    local publisher = join {}
    publisher:publish("com.acme.x", { "org" }, nil, { acknowledge = true })
    assert.equal(80, #seen)
    assert.equal(5, publisher:call "com.acme.runs")
    assert.equal(0, router:metric "nexus_filter_per_session_total")
    publisher:publish("com.acme.x", { "id" }, nil, { acknowledge = true })
    assert.equal(180, #seen)
    assert.equal(100, publisher:call "com.acme.runs")
    assert.equal(100, router:metric "nexus_filter_per_session_total")
  end)

  it("has its predicate run as often when that reads the event, or who published it", function()
    open [[
local runs = 0
procedure("runs", function() local n <const> = runs runs = 0 return n end)
function policy.filter(event)
  return function(session)
    runs = runs + 1
    return session.org == event.args[1] and session.org ~= event.publisher.org
      and event.kwargs.sure == nil and event.options.retain == nil
  end
end]]
    local heard = crowd("com.acme.x", { a = { org = "acme" }, a2 = { org = "acme" },
      b = { org = "beta" }, b2 = { org = "beta" }, c = {} })
    local publisher = join { org = "other" }
    publisher:publish("com.acme.x", { "acme" }, nil, { acknowledge = true })
    assert.equal("a a2", heard())
    assert.equal(3, publisher:call "com.acme.runs")
    assert.equal(0, router:metric "nexus_filter_per_session_total")
    -- who published it may be among those who are judged
    publisher:subscribe("com.acme.x", function() end)
    publisher:publish("com.acme.x", { "other" }, nil, { acknowledge = true, exclude_me = false })
    publisher:publish("com.acme.x", { "beta" }, nil, { acknowledge = true, exclude_me = false })
    assert.equal("b b2", heard())
  end)

  it("does not go to those of whom a predicate says nothing that is true or false", function()
    open [[
function policy.filter(event)
  local how <const> = event.args[1]
  return function(session)
    if session.org ~= "acme" then return session.org == "beta" end
    if how == "number" then return 1 end
    if how == "text" then return "no" end
    if how == "filter" then return nexus.only("org", "nobody") end
    if how == "deny" then return nexus.deny{} end
  end
end]]
    local heard = crowd("com.acme.x", { a = { org = "acme" }, b = { org = "beta" }, c = {} })
    local publisher = join {}
    for how, what in pairs { number = "number", text = "string", filter = "nexus.Filter",
      deny = "userdata" } do
      publisher:publish("com.acme.x", { how }, nil, { acknowledge = true })
      assert.equal("b", heard())
      local words = "a filter predicate returned a "
      assert.is_true(#router:log { msg = words } > 0, what)
    end
    publisher:publish("com.acme.x", { "nothing" }, nil, { acknowledge = true })
    assert.equal("b", heard())
  end)

  it("has predicates that only look", function()
    open [[
local acts <const> = {
  kill = function(session) nexus.realm:kill{ id = session.id } end,
  ["end"] = function(session) session:kill() end,
  set = function(session) session:set{ org = "x" } end,
  vars = function(session) session.vars.x = 1 end,
  forget = function() nexus.realm:forget_decisions() end,
  recheck = function() nexus.realm:recheck{} end,
  publish = function() nexus.realm:publish("com.acme.x", {}) end,
  call = function() nexus.realm:call("com.acme.x") end,
}
local waits <const> = {
  sleep = function() nexus.sleep(1) end,
  breathe = function() nexus.breathe() end,
  parallel = function() nexus.parallel{ print } end,
  timeout = function() nexus.timeout(1, print) end,
  register = function() nexus.realm:register("com.acme.y", print) end,
  subscribe = function() nexus.realm:subscribe("com.acme.y", print) end,
  derive = function() nexus.crypto.password_hash("x") end,
  ask = function() nexus.http.get("http://x/") end,
}
procedure("names", function()
  local acting, waiting = nexus.list(), nexus.list()
  for name in pairs(acts) do acting[#acting + 1] = name end
  for name in pairs(waits) do waiting[#waiting + 1] = name end
  return acting, waiting
end)
function policy.filter(event)
  local fn <const> = acts[event.args[1] ] or waits[event.args[1] ]
  return function(session)
    if session.org == "acme" then fn(session) end
    return true
  end
end]]
    local heard = crowd("com.acme.x", { a = { org = "acme" }, b = { org = "beta" }, c = {} })
    local publisher = join {}
    for i, names in ipairs { publisher:call "com.acme.names" } do
      local words = i == 1 and "cannot act in a filter predicate; do it in policy.filter"
        or "cannot wait in a filter predicate; look it up in policy.filter"
      for _, name in ipairs(names) do
        local before = #router:log { msg = words }
        publisher:publish("com.acme.x", { name }, nil, { acknowledge = true })
        assert.equal("b c", heard(), name)
        assert.equal(before + 1, #router:log { msg = words }, name)
        router:advance(61) -- or the same line would only be counted
      end
    end
  end)

  it("has a predicate whose has is as exact as that of filters", function()
    open [[
procedure("has", function(call)
  return call.caller:has("level", 3), call.caller:has("level", 3.0),
    call.caller:has("level", "3"), call.caller:has("teams", 3), call.caller:has("teams", 2.5)
end)
function policy.filter(event)
  return function(session) return session:has("level", event.args[1]) end
end]]
    local heard = crowd("com.acme.x", { a = { level = 3 }, b = { level = 4 }, c = {} })
    local publisher = join { level = 3, teams = testing.list { 3.0, 2.5 } }
    for _, level in ipairs { 3.0, 3, "3" } do
      publisher:publish("com.acme.x", { level }, nil, { acknowledge = true })
      assert.equal(math.type(level) == "integer" and "a" or "", heard())
    end
    assert.same({ true, false, false, false, true }, { publisher:call "com.acme.has" })
  end)

  it("is not filtered by a table that is no list", function()
    open [[
function policy.filter(event)
  local tables <const> = { dict = { x = "acme" }, mixed = { "acme", x = "beta" },
    hole = { "acme", nil, "beta" }, nested = { { "acme" } } }
  local how <const> = event.args[1]
  return nexus.except("org", tables[how] or {})
end]]
    local heard = crowd("com.acme.x", { a = { org = "acme" }, b = {} })
    local publisher = join {}
    for _, how in ipairs { "dict", "mixed", "hole", "nested" } do
      local id, failure = publisher:try_publish("com.acme.x", { how })
      assert.is_nil(id)
      assert.equal("wamp.error.authorization_failed", failure.uri)
      assert.equal("", heard())
    end
    assert.equal(1, #router:log { msg = "nexus.except: found a table that is no list; allowed: a "
      .. "text, a number, a boolean, or a list of them" })
    publisher:publish("com.acme.x", { "empty" }, nil, { acknowledge = true })
    assert.equal("a b", heard())
  end)

  it("may be filtered by the rule that allows it, or by policy.authorize", function()
    open [[
policy.roles.user = {
  { allow = "*", uri = "com.acme.**" },
  { allow = "publish", uri = "com.acme.own.**", filter = nexus.only("org", "{session.org}") },
  { ask = "publish", uri = "com.acme.asked" },
}
function policy.authorize(request)
  return nexus.allow{ filter = nexus.except("org", request.session.org) }
end]]
    local own = crowd("com.acme.own.x", { a = { org = "acme" }, b = { org = "beta" }, c = {} })
    local asked = crowd("com.acme.asked", { a = { org = "acme" }, b = { org = "beta" }, c = {} })
    local publisher = join { org = "acme" }
    publisher:publish("com.acme.own.x", { 1 }, nil, { acknowledge = true })
    assert.equal("a", own())
    publisher:publish("com.acme.asked", { 1 }, nil, { acknowledge = true })
    assert.equal("b c", asked())
    -- a publisher without org restricts to nobody: absent is never a match
    join({}):publish("com.acme.own.x", { 1 }, nil, { acknowledge = true })
    assert.equal("", own())
  end)

  it("that is retained keeps its filters, and is asked about again where there is a predicate",
    function()
      open [[
function policy.filter(event)
  nexus.log.info("asked " .. tostring(event.retained) .. " " .. tostring(event.publisher.org))
  local org <const> = event.publisher.org
  if event.topic == "com.acme.set" then return nexus.only("org", org) end
  return function(session) return session.org == org end
end]]
      local function late(attributes, topic)
        return #join(attributes):collect(topic, { get_retained = true })
      end
      join({ org = "acme" }):collect "com.acme.set"
      join({ org = "acme" }):collect "com.acme.predicate"
      local publisher = join { org = "acme" }
      for _, topic in ipairs { "com.acme.set", "com.acme.predicate" } do
        publisher:publish(topic, { 1 }, nil, { acknowledge = true, retain = true })
      end
      publisher:leave()
      assert.equal(2, #router:log { msg = "asked false acme" })
      assert.equal(1, late({ org = "acme" }, "com.acme.set"))
      assert.equal(0, late({ org = "beta" }, "com.acme.set"))
      assert.equal(0, #router:log { msg = "asked true" })
      assert.equal(1, late({ org = "acme" }, "com.acme.predicate"))
      assert.equal(0, late({ org = "beta" }, "com.acme.predicate"))
      assert.equal(2, #router:log { msg = "asked true acme" })
    end)
end)
