--- What policies can do to the router at the worst moment, and what must hold all the same.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local head = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
function policy.authenticate.anonymous() return { authrole = "admin" } end
policy.roles.admin = { { allow = "*", uri = "com.acme.**" },
  { ask = "publish", uri = "com.acme.asked.**" },
  { allow = "call", uri = "wamp.**" }, { allow = "call", uri = "nexus.policy.**" } }
policy.procedures["com.acme.ping"] = function() return "pong" end
local log = {}
policy.procedures["com.acme.log"] = function() local all = log log = {} return nexus.list(all) end
]]

local policy = head .. [[
-- what pairs gives out may be called with anything
policy.procedures["com.acme.vars"] = function(call)
  call.caller.vars.a = 1
  local next_var = pairs(call.caller.vars)
  local one = pcall(next_var, 17, nil)
  local two = pcall(next_var, "text")
  return one, two, call.caller.vars.a
end

-- without an end
local function again() nexus.spawn(again) end
policy.procedures["com.acme.again"] = function() nexus.spawn(again) return true end
policy.procedures["com.acme.stop"] = function() again = function() end return true end
local turns = 0
policy.subscriptions["com.acme.echo"] = function(event)
  turns = turns + 1
  if log.stop_echo then return end
  nexus.realm:publish("com.acme.echo", event.args, nil, { exclude_me = false })
end
policy.procedures["com.acme.echo.stop"] = function() log.stop_echo = true return turns end

-- endpoints that end while their handlers run
policy.procedures["com.acme.fleeting"] = function(call)
  local endpoint
  endpoint = nexus.realm:register("com.acme.brief.{name}", function(c)
    endpoint:remove()
    nexus.sleep(0.05)
    collectgarbage("count")
    for _ = 1, 100 do nexus.realm:register("com.acme.more." .. nexus.crypto.token(8),
      function() end):remove() end
    return c.params.name, c.uri
  end)
  return nexus.realm:call("com.acme.brief.one_that_is_long_enough")
end
policy.procedures["com.acme.siblings"] = function()
  local seen, subs = {}, {}
  for i = 1, 4 do
    subs[i] = nexus.realm:subscribe("com.acme.sibling", function(event)
      seen[#seen + 1] = i
      for k = 1, 4 do if k ~= i then subs[k]:remove() end end
      nexus.sleep(0.01)
      seen[#seen + 1] = event.topic
    end)
  end
  nexus.realm:publish("com.acme.sibling", {}, {}, { exclude_me = false })
  nexus.sleep(0.1)
  return nexus.list(seen)
end
policy.procedures["com.acme.replaced"] = function()
  local seen = 0
  local function count() seen = seen + 1 end
  local old = nexus.realm:subscribe("com.acme.topic", count)
  nexus.spawn(function() old:remove() end)
  local new = nexus.realm:subscribe("com.acme.topic", count)
  nexus.realm:publish("com.acme.topic", {}, {}, { exclude_me = false })
  nexus.sleep(0.05)
  return seen, new:remove()
end

-- what is wanted when a call is canceled
policy.procedures["com.acme.careful"] = function(call)
  for _ = 1, 20 do call:on_cancel(function() return {} end) end
end
policy.procedures["com.acme.memory"] = function() return collectgarbage("count") end
policy.procedures["com.acme.too_late"] = { timeout = 0.05, handler = function(call)
  call:on_cancel(function() log[#log + 1] = "too late" end)
  nexus.sleep(5)
end }

-- one call, and more input of it when it is over
local begun = 0
policy.procedures["com.acme.early"] = function() begun = begun + 1 return begun end
policy.procedures["com.acme.begun"] = function() return begun end

-- a callee that says more than one can hear
policy.procedures["com.acme.flooded"] = function()
  local ok, err = pcall(function()
    return nexus.realm:call{ "com.acme.flood", on_progress = function() nexus.sleep(0.3) end }
  end)
  return ok, tostring(err)
end

-- a filter that ends the session it judges for
function policy.filter(event)
  if event.topic ~= "com.acme.deadly" then return nil end
  event.publisher:kill()
  return function() return true end
end
function policy.authorize(request)
  nexus.parallel{ function()
    local _ <close> = setmetatable({}, { __close = function() request.session:kill() end })
    nexus.sleep(10)
  end, function() request.session:kill() nexus.sleep(10) end }
  return true
end

-- what the meta API says is heard as well
policy.subscriptions["wamp.session.on_join"] = function(event)
  log[#log + 1] = "joined " .. tostring(event.args[1].session)
end
policy.procedures["com.acme.wrong"] = function(call)
  local ok, err = pcall(nexus.realm.register, nexus.realm, "com.acme.x", print,
    { concurrency = setmetatable({}, { __tostring = function() error("mine") end }) })
  return ok, err
end
policy.procedures["com.acme.numbers"] = function()
  return (pcall(nexus.realm.call, nexus.realm, 17)), (pcall(nexus.realm.call, nexus.realm, { 17 }))
end
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("the worst moment with %d workers"):format(workers), function()
    local nexusd, folder

    before_each(function()
      local config = policies.config(policy, { workers = workers })
      folder = config.realms.realm1.policy
      nexusd = daemon.start { config = config }
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
    end)

    local function join()
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "anonymous" }, roles = wamp.roles {
        caller = { progressive_call_results = true, progressive_call_invocations = true,
          call_canceling = true },
        callee = { progressive_call_results = true, call_canceling = true } } })
      policies.expect_welcome(client)
      return client
    end

    local function request(client)
      client.last_id = client.last_id + 1
      return client.last_id
    end

    local function send_call(client, uri, ...)
      client:send { wamp.CALL, request(client), wamp.dict {}, uri, wamp.list { ... } }
    end

    local function call(client, uri, ...)
      send_call(client, uri, ...)
      local answer = client:receive()
      if answer[1] == wamp.ERROR then
        return nil, answer[5], answer
      end
      return table.unpack(answer[4] or {})
    end

    local function publish(client, topic, ...)
      client:send { wamp.PUBLISH, request(client), wamp.dict { acknowledge = true }, topic,
        wamp.list { ... } }
    end

    it("survives what is called with anything", function()
      local client = join()
      assert.same({ false, false, 1 }, { call(client, "com.acme.vars") })
      assert.same({ false, false }, { call(client, "com.acme.numbers") })
      local ok, err = call(client, "com.acme.wrong")
      assert.is_false(ok)
      assert.matches("register: concurrency: found a table; allowed: an integer from 1 to 10000",
        err)
    end)

    it("ends a turn although functions begin functions", function()
      local client = join()
      assert.is_true(call(client, "com.acme.again"))
      assert.equal("pong", call(client, "com.acme.ping"))
      assert.is_true(call(client, "com.acme.stop"))
    end)

    it("ends a turn although events make events", function()
      local client = join()
      publish(client, "com.acme.echo", 1)
      assert.equal(wamp.PUBLISHED, client:receive()[1])
      assert.equal("pong", call(client, "com.acme.ping"))
      assert.is_true(call(client, "com.acme.echo.stop") > 0)
    end)

    it("keeps what a handler needs when its endpoint is gone", function()
      local client = join()
      assert.same({ "one_that_is_long_enough", "com.acme.brief.one_that_is_long_enough" },
        { call(client, "com.acme.fleeting") })
      local seen = call(client, "com.acme.siblings")
      assert.equal("com.acme.sibling", seen[#seen])
      assert.same({ 1, true }, { call(client, "com.acme.replaced") })
    end)

    it("forgets what was wanted on cancel, and calls it when the time is over", function()
      local client = join()
      for _ = 1, 50 do call(client, "com.acme.careful") end
      local before = call(client, "com.acme.memory")
      for _ = 1, 400 do call(client, "com.acme.careful") end
      local after = daemon.eventually(function()
        local now = call(client, "com.acme.memory")
        return now < before + 400 and now
      end)
      assert.truthy(after)
      assert.equal("wamp.error.timeout", select(2, call(client, "com.acme.too_late")))
      local log = call(client, "com.acme.log")
      assert.equal("too late", log[#log])
    end)

    it("begins a call once, however much input comes for it", function()
      local client = join()
      local id = request(client)
      for _ = 1, 5 do
        client:send { wamp.CALL, id, wamp.dict { progress = true }, "com.acme.early", { 1 } }
      end
      assert.equal(wamp.RESULT, client:receive()[1])
      client:send { wamp.CALL, request(client), wamp.dict {}, "com.acme.begun" }
      local answer = client:receive()
      while answer[1] ~= wamp.RESULT do answer = client:receive() end
      assert.equal(1, answer[4][1])
    end)

    it("cancels a call that sends more progress than is taken", function()
      local callee, client = join(), join()
      callee:send { wamp.REGISTER, request(callee), wamp.dict {}, "com.acme.flood" }
      callee:receive()
      send_call(client, "com.acme.flooded")
      local invocation = callee:receive()
      for i = 1, 1500 do
        callee:send { wamp.YIELD, invocation[2], wamp.dict { progress = true }, { i } }
      end
      assert.equal(wamp.INTERRUPT, callee:receive()[1])
      assert.equal("pong", call(callee, "com.acme.ping"))
    end)

    it("goes on when a hook ends the session that it judges for", function()
      for _, topic in ipairs { "com.acme.deadly", "com.acme.asked.it" } do
        local listener, client = join(), join()
        listener:send { wamp.SUBSCRIBE, request(listener), wamp.dict {}, topic }
        listener:receive()
        publish(client, topic, 1)
        assert.equal(wamp.GOODBYE, client:receive()[1])
        assert.equal("pong", call(listener, "com.acme.ping"))
      end
    end)

    it("hears what the router itself publishes", function()
      local first, second = join(), join()
      assert.truthy(daemon.eventually(function()
        for _, line in ipairs(call(first, "com.acme.log")) do
          if line == "joined " .. second.session then return true end
        end
      end))
    end)

    it("serves on with other options after a reload", function()
      local client = join()
      local function write(text)
        local file = assert(io.open(folder .. "/policy.lua.new", "wb"))
        file:write(text)
        assert(file:close())
        assert(os.rename(folder .. "/policy.lua.new", folder .. "/policy.lua"))
      end
      local made = head .. [[
function policy.authorize() return true end
policy.procedures["com.acme.made"] = { invoke = %q, handler = function() return %d end }
policy.subscriptions["com.acme.made"] = { get_retained = %s, handler = function(event)
  log[#log + 1] = event.args[1]
end }
return policy
]]
      write(made:format("single", 1, "false"))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      assert.equal(1, call(client, "com.acme.made"))
      write(made:format("roundrobin", 2, "true"))
      assert.is_true(call(client, "nexus.policy.reload").changed)
      assert.equal(2, call(client, "com.acme.made"))
      publish(client, "com.acme.made", "heard")
      assert.equal(wamp.PUBLISHED, client:receive()[1])
      assert.truthy(daemon.eventually(function()
        return call(client, "com.acme.log")[1] == "heard"
      end))
    end)
  end)
end

describe("what a policy asks of its realm", function()
  local nexusd

  setup(function()
    nexusd = policies.start([[
local nexus <const> = require "nexus"
local base <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
base.roles.user = { { allow = "publish subscribe", uri = "com.acme.**" } }
base.procedures["com.acme.one"] = function() return 1 end
local extra <const> = nexus.policy{ cache_decisions = 100 }
extra.roles.user = { { allow = "call", uri = "com.acme.**" },
  { ask = "*", uri = "com.acme.ask.**" } }
function extra.authenticate.anonymous(hello) return { authid = hello.authid, authrole = "user" } end
local asked, allowed = 0, true
function extra.authorize(request)
  asked = asked + 1
  return request.session.authid ~= nil and allowed
end
extra.procedures["com.acme.ask.me"] = function() return asked end
extra.procedures["com.acme.asked"] = function() return asked end
extra.procedures["com.acme.forget"] = function(call)
  nexus.realm:forget_decisions(call.args[1] and { authid = call.args[1] })
end
extra.procedures["com.acme.recheck"] = function(call)
  allowed = false
  nexus.realm:forget_decisions()
  return nexus.realm:recheck{ authid = call.args[1] }
end
extra.procedures["com.acme.retained"] = function()
  nexus.realm:publish("com.acme.state", { "old" }, {}, { retain = true, acknowledge = true })
  local id = nexus.realm:publish("com.acme.state", { "on" }, { k = 1 },
    { retain = true, acknowledge = true })
  local all = nexus.realm:retained("com.acme.state")
  return #all, all[1].args[1], all[1].kwargs.k, all[1].publication == id, all[1].restricted,
    math.type(all[1].at), #nexus.realm:retained("com.acme.nothing"),
    (pcall(nexus.realm.retained, nexus.realm, "no uri"))
end
extra.procedures["com.acme.both"] = function()
  local one, two = nexus.policy{ api = 1 }, nexus.policy{ api = 1 }
  one.procedures["com.acme.x"], two.procedures["com.acme.x"] = print, tostring
  local _, twice = pcall(nexus.merge, one, two)
  local _, hooks = pcall(nexus.merge, { authorize = print }, { authorize = tostring })
  local all = nexus.merge({ limits = { 1, 2 }, roles = { a = { 1, inherit = "b" } } },
    { limits = { 3 }, roles = { a = { 2 }, c = { 3 } } })
  return twice, hooks, #all.limits, #all.roles.a, all.roles.a.inherit, #all.roles.c
end
extra.subscriptions["com.acme.raise"] = function()
  nexus.raise("com.acme.error.mine", { "that is why" })
end
return nexus.merge(base, extra)
]])
  end)

  teardown(function()
    wamp.close_all()
    nexusd:stop()
  end)

  local function join(authid)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "anonymous" }, authid = authid, roles = wamp.roles {
      subscriber = { subscription_revocation = true } } })
    policies.expect_welcome(client)
    return client
  end

  local function request(client)
    client.last_id = client.last_id + 1
    return client.last_id
  end

  local function call(client, uri, ...)
    client:send { wamp.CALL, request(client), wamp.dict {}, uri, wamp.list { ... } }
    local answer = client:receive()
    if answer[1] == wamp.ERROR then return nil, answer[5] end
    return table.unpack(answer[4] or {})
  end

  it("is answered by a policy that was made of two", function()
    local client = join("alice")
    assert.equal(1, call(client, "com.acme.one"))
    local twice, hooks, limits, rules, inherit, other = call(client, "com.acme.both")
    assert.matches('nexus.merge: both policies have procedures["com.acme.x"]', twice, 1, true)
    assert.matches("nexus.merge: both policies have authorize", hooks, 1, true)
    assert.same({ 3, 2, "b", 1 }, { limits, rules, inherit, other })
  end)

  it("is that answers are forgotten", function()
    local client = join("bob")
    local first = call(client, "com.acme.ask.me")
    assert.equal(first, call(client, "com.acme.ask.me"))
    call(client, "com.acme.forget", "somebody_else")
    assert.equal(first, call(client, "com.acme.ask.me"))
    call(client, "com.acme.forget", "bob")
    assert.equal(first + 1, call(client, "com.acme.ask.me"))
    call(client, "com.acme.forget")
    assert.equal(first + 2, call(client, "com.acme.ask.me"))
  end)

  it("is which events are retained", function()
    assert.same({ 1, "on", 1, true, false, "float", 0, false },
      { call(join("carol"), "com.acme.retained") })
  end)

  it("is what an error of its own says in the log", function()
    local client = join("dave")
    client:send { wamp.PUBLISH, request(client), wamp.dict {}, "com.acme.raise" }
    local line = nexusd:wait_for_log("com.acme.error.mine: that is why")
    assert.truthy(line)
    assert.truthy(nexusd:log():find("version=%x+"))
  end)

  it("is that subscriptions are judged again", function()
    local listener, client = join("erin"), join("frank")
    listener:send { wamp.SUBSCRIBE, request(listener), wamp.dict {}, "com.acme.ask.news" }
    local subscribed = listener:receive()
    assert.equal(wamp.SUBSCRIBED, subscribed[1])
    assert.equal(1, call(client, "com.acme.recheck", "erin"))
    local message = listener:receive()
    assert.same({ wamp.UNSUBSCRIBED, 0, subscribed[3] },
      { message[1], message[2], message[3].subscription })
  end)
end)
