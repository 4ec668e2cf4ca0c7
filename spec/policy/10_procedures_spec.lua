--- Procedures, subscriptions and tasks of a policy: code that lives in the router.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.acme.**" }, { allow = "call", uri = "wamp.**" } }

policy.procedures["com.acme.add"] = function(call)
  return call.args[1] + call.args[2]
end
policy.procedures["com.acme.none"] = function() end
policy.procedures["com.acme.both"] = function(call)
  return nexus.result({ call.args[1], call.uri },
    { key = call.kwargs.key, caller = call.caller.id })
end
policy.procedures["com.acme.user.{id}.get"] = function(call)
  return call.params.id, call.uri
end
policy.procedures["com.acme.file.**"] = function(call) return call.uri end
policy.procedures["com.acme.sold_out"] = function(call)
  nexus.raise("com.acme.error.sold_out", { call.args[1] }, { left = 0 })
end
policy.procedures["com.acme.broken"] = function() error("the secret of the house") end
policy.procedures["com.acme.unsendable"] = function() return { items = { 1, 2, print } } end
policy.procedures["com.acme.slow"] = { timeout = 0.2, handler = function() nexus.sleep(5) end }
policy.procedures["com.acme.ordered"] = { ordered = true, handler = function(call)
  nexus.sleep(call.args[1]) return call.args[2]
end }
policy.procedures["com.acme.one"] = { concurrency = 1, handler = function(call)
  nexus.sleep(0.05) return call.args[1]
end }
policy.procedures["com.acme.count"] = function(call)
  for i = 1, call.args[1] do call:progress(i) end
  return call.wants_progress
end
policy.procedures["com.acme.sum"] = function(call)
  local sum = 0
  for args in call:chunks() do
    for _, x in ipairs(args) do sum = sum + x end
  end
  return sum
end
local log = {}
policy.procedures["com.acme.log"] = function() local all = log log = {} return nexus.list(all) end
policy.procedures["com.acme.wait"] = function(call)
  call:on_cancel(function() log[#log + 1] = "on_cancel" end)
  local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
  local ok, err = pcall(nexus.sleep, 10)
  log[#log + 1] = tostring(ok) .. " " .. tostring(err)
  nexus.sleep(10)
  log[#log + 1] = "went on"
end
policy.procedures["com.acme.outside"] = function(call)
  return nexus.realm:call("com.acme.client.echo", table.unpack(call.args))
end
policy.procedures["com.acme.outside.long"] = function(call)
  local seen = {}
  local result = nexus.realm:call{ "com.acme.client.echo", args = call.args, kwargs = { a = 1 },
    on_progress = function(x) seen[#seen + 1] = x end }
  return nexus.result({ nexus.list(seen), nexus.list(result.args) }, result.kwargs)
end
policy.procedures["com.acme.failing"] = function()
  local ok, err = pcall(function() return nexus.realm:call("com.acme.nobody") end)
  return ok, err.uri, err.message ~= nil
end
policy.procedures["com.acme.hurry"] = function()
  local ok, err = pcall(nexus.timeout, 0.05, nexus.sleep, 3)
  return ok, err.uri
end
policy.procedures["com.acme.together"] = function()
  local a, b = nexus.parallel{
    function() nexus.sleep(0.02) return "a" end, function() return "b" end }
  local ok, err = pcall(nexus.parallel, {
    function() nexus.sleep(5) end, function() error("no", 0) end })
  return a, b, ok, err
end
policy.procedures["com.acme.publish"] = function(call)
  local id = nexus.realm:publish("com.acme.news", call.args, { k = 1 }, { acknowledge = true })
  nexus.realm:publish("com.acme.news", { "second" })
  return id
end
policy.procedures["com.acme.late"] = function()
  nexus.after(0.02, function(x) log[#log + 1] = "after " .. x end, "all")
  local gone = nexus.after(0.02, function() log[#log + 1] = "never" end)
  nexus.spawn(function(x) nexus.sleep(0.01) log[#log + 1] = "spawned " .. x end, 1)
  return gone:remove(), gone:remove()
end
policy.procedures["com.acme.dynamic"] = function()
  local endpoint = nexus.realm:register("com.acme.made", function(c) return c.args[1] * 2 end)
  local got = nexus.realm:call("com.acme.made", 21)
  local removed = endpoint:remove()
  nexus.sleep(0.02)
  return got, removed, endpoint:remove(), (pcall(nexus.realm.call, nexus.realm, "com.acme.made", 1))
end
policy.procedures["com.acme.sessions"] = function(call)
  local ids = {}
  for s in nexus.realm:sessions{ authrole = "guest" } do ids[#ids + 1] = s.id end
  table.sort(ids)
  return nexus.list(ids), nexus.realm:count{ authrole = "guest" }, nexus.realm:count(),
    nexus.realm:session(1) == nil, nexus.realm:session(call.caller.id).authrole
end
policy.procedures["com.acme.kill"] = function(call)
  return nexus.realm:kill{ id = call.args[1], reason = "com.acme.close.banned", message = "go" }
end
policy.procedures["com.acme.kill_all"] = function() return nexus.realm:kill{ authid = nil } end

policy.subscriptions["com.acme.order.**"] = function(event)
  log[#log + 1] = event.topic .. " " .. tostring(event.args[1]) .. " "
    .. tostring(event.publisher and event.publisher.authrole)
end
policy.subscriptions["com.acme.thing.{id}.moved"] = { queue = 2, handler = function(event)
  nexus.sleep(0.1)
  log[#log + 1] = event.params.id .. "=" .. event.kwargs.n
end }
local joined = {}
policy.subscriptions["wamp.session.on_join"] = function(event)
  joined[event.args[1].session] = event.publisher == nil
end
policy.procedures["com.acme.joined"] = function(call)
  local id = call.args[1]
  return joined[id]
end
local ticks = 0
policy.tasks.tick = { every = 0.02, run = function() ticks = ticks + 1 end }
policy.procedures["com.acme.ticks"] = function() return ticks end
local lives = {}
policy.procedures["com.acme.lives"] = function(call)
  local all = {}
  for _, life in ipairs(lives) do
    if life[1] == call.args[1] then all[#all + 1] = life[2] end
  end
  return nexus.list(all)
end
function policy.on_join(session) lives[#lives + 1] = { session.id, "join " .. session.authrole } end
function policy.on_leave(session, reason)
  lives[#lives + 1] = { session.id, "leave " .. session.authrole .. " " .. reason }
end
function policy.on_load(info)
  lives[#lives + 1] = { 0, "load " .. tostring(info.first) .. " " .. #info.version }
end
return policy
]]

for _, workers in ipairs { 1, 2 } do
  describe(("code in the router with %d workers"):format(workers), function()
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

    local function join(serializer)
      local client = policies.connect(nexusd, serializer)
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

    local function send_call(client, uri, args, options, kwargs)
      local id = request(client)
      client:send { wamp.CALL, id, options or wamp.dict {}, uri, wamp.list(args or {}), kwargs }
      return id
    end

    local function call(client, uri, ...)
      local id = send_call(client, uri, { ... })
      local answer = client:receive()
      if answer[1] == wamp.ERROR then
        assert.equal(id, answer[3])
        return nil, answer[5], answer
      end
      assert.equal(wamp.RESULT, answer[1])
      assert.equal(id, answer[2])
      return table.unpack(answer[4] or {})
    end

    it("answers calls of every serializer", function()
      for _, serializer in ipairs { "json", "msgpack", "cbor" } do
        local client = join(serializer)
        assert.equal(42, call(client, "com.acme.add", 17, 25))
        assert.is_nil(call(client, "com.acme.none"))
        send_call(client, "com.acme.both", { "x" }, nil, wamp.dict { key = "y" })
        local result = client:receive()
        assert.same({ "x", "com.acme.both" }, { table.unpack(result[4]) })
        assert.equal("y", result[5].key)
        assert.equal(client.session, result[5].caller)
      end
    end)

    it("has patterns with captures, and prefixes that end at a dot", function()
      local client = join()
      local id, uri = call(client, "com.acme.user.carol.get")
      assert.same({ "carol", "com.acme.user.carol.get" }, { id, uri })
      assert.equal("com.acme.file.a.b", call(client, "com.acme.file.a.b"))
      assert.equal("com.acme.file", call(client, "com.acme.file"))
      assert.equal("wamp.error.no_such_procedure", select(2, call(client, "com.acme.filesystem")))
    end)

    it("sends its own errors, and hides what went wrong in it", function()
      local client = join()
      local _, uri, message = call(client, "com.acme.sold_out", "shoes")
      assert.equal("com.acme.error.sold_out", uri)
      assert.equal("shoes", message[6][1])
      assert.equal(0, message[7].left)
      _, uri, message = call(client, "com.acme.broken")
      assert.equal("wamp.error.runtime_error", uri)
      assert.same({}, { table.unpack(message[6]) })
      local incident = message[7].incident
      assert.matches("^%x+$", incident)
      assert.truthy(nexusd:log():find("incident=" .. incident, 1, true))
      assert.equal(incident, select(3, call(client, "com.acme.broken"))[7].incident)
      assert.truthy(nexusd:log():find("the secret of the house", 1, true))
      assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.unsendable")))
      assert.truthy(nexusd:log():find("args[1].items[3]: function cannot be sent", 1, true))
    end)

    it("ends what takes too long", function()
      assert.equal("wamp.error.timeout", select(2, call(join(), "com.acme.slow")))
    end)

    it("keeps the order of a caller where it is asked to, and bounds what runs at once", function()
      local client, order = join(), {}
      send_call(client, "com.acme.ordered", { 0.1, "first" })
      send_call(client, "com.acme.ordered", { 0, "second" })
      for i = 1, 2 do order[i] = client:receive()[4][1] end
      assert.same({ "first", "second" }, order)
      for i = 1, 4 do send_call(client, "com.acme.one", { i }) end
      for i = 1, 4 do assert.equal(i, client:receive()[4][1]) end
    end)

    it("sends progress to those who ask for it", function()
      local client = join()
      assert.is_false(call(client, "com.acme.count", 3))
      send_call(client, "com.acme.count", { 3 }, wamp.dict { receive_progress = true })
      for i = 1, 3 do
        local part = client:receive()
        assert.is_true(part[3].progress)
        assert.equal(i, part[4][1])
      end
      assert.is_true(client:receive()[4][1])
    end)

    it("takes progressive input", function()
      local client = join()
      local id = request(client)
      client:send { wamp.CALL, id, wamp.dict { progress = true }, "com.acme.sum", { 1, 2 } }
      client:send { wamp.CALL, id, wamp.dict { progress = true }, "com.acme.sum", { 3 } }
      client:send { wamp.CALL, id, wamp.dict {}, "com.acme.sum", { 4 } }
      assert.equal(10, client:receive()[4][1])
    end)

    it("is told when a call is canceled", function()
      local client = join()
      call(client, "com.acme.log")
      local id = send_call(client, "com.acme.wait", {})
      client:send { wamp.CANCEL, id, wamp.dict { mode = "kill" } }
      local answer = client:receive()
      assert.equal("wamp.error.canceled", answer[5])
      local log = daemon.eventually(function()
        local all = call(client, "com.acme.log")
        return #all >= 3 and all
      end)
      table.sort(log)
      assert.same({ "closed", "false the call was canceled", "on_cancel" }, { table.unpack(log) })
    end)

    it("calls clients, with progress, and gets their errors", function()
      local callee, client = join(), join()
      callee:send { wamp.REGISTER, request(callee), wamp.dict {}, "com.acme.client.echo" }
      callee:receive()
      local id = send_call(client, "com.acme.outside", { 1, "two" })
      local invocation = callee:receive()
      assert.equal(wamp.INVOCATION, invocation[1])
      callee:send { wamp.YIELD, invocation[2], wamp.dict {}, invocation[5] }
      local result = client:receive()
      assert.equal(id, result[2])
      assert.same({ 1, "two" }, { table.unpack(result[4]) })

      send_call(client, "com.acme.outside.long", { 5 })
      invocation = callee:receive()
      assert.is_true(invocation[4].receive_progress)
      for i = 1, 2 do
        callee:send { wamp.YIELD, invocation[2], wamp.dict { progress = true }, { i * 10 } }
      end
      callee:send { wamp.YIELD, invocation[2], wamp.dict {}, { "end" }, wamp.dict { b = 2 } }
      result = client:receive()
      assert.same({ 10, 20 }, { table.unpack(result[4][1]) })
      assert.same({ "end" }, { table.unpack(result[4][2]) })
      assert.equal(2, result[5].b)
      local ok, uri = call(client, "com.acme.failing")
      assert.same({ false, "wamp.error.no_such_procedure" }, { ok, uri })
    end)

    it("does several things at once, and gives up in time", function()
      local client = join()
      local ok, uri = call(client, "com.acme.hurry")
      assert.same({ false, "wamp.error.timeout" }, { ok, uri })
      assert.same({ "a", "b", false, "no" }, { call(client, "com.acme.together") })
    end)

    it("publishes", function()
      local subscriber, client = join(), join()
      subscriber:send { wamp.SUBSCRIBE, request(subscriber), wamp.dict {}, "com.acme.news" }
      subscriber:receive()
      local id = call(client, "com.acme.publish", "hello")
      local event = subscriber:receive()
      assert.equal(id, event[3])
      assert.same({ "hello" }, { table.unpack(event[5]) })
      assert.equal(1, event[6].k)
      assert.same({ "second" }, { table.unpack(subscriber:receive()[5]) })
    end)

    it("spawns, and does things later", function()
      local client = join()
      call(client, "com.acme.log")
      local removed, again = call(client, "com.acme.late")
      assert.same({ true, false }, { removed, again })
      local seen = {}
      daemon.eventually(function()
        for _, line in ipairs(call(client, "com.acme.log")) do seen[#seen + 1] = line end
        return #seen >= 2
      end)
      table.sort(seen)
      assert.same({ "after all", "spawned 1" }, seen)
    end)

    it("registers at run time", function()
      assert.same({ 42, true, false, false }, { call(join(), "com.acme.dynamic") })
    end)

    it("knows the sessions, and ends them", function()
      local client, other = join(), join()
      local ids, count, all, is_nil, role = call(client, "com.acme.sessions")
      local expected = { client.session, other.session }
      table.sort(expected)
      assert.same(expected, { table.unpack(ids) })
      assert.same({ 2, 2, true, "guest" }, { count, all, is_nil, role })
      assert.equal(1, call(client, "com.acme.kill", other.session))
      local goodbye = other:receive()
      assert.equal("com.acme.close.banned", goodbye[3])
      assert.equal("go", goodbye[2].message)
      assert.equal(0, call(client, "com.acme.kill", other.session))
      assert.equal("wamp.error.runtime_error", select(2, call(client, "com.acme.kill_all")))
      assert.truthy(nexusd:log():find("kill needs a selector", 1, true))
    end)

    it("hears events in order, and drops the oldest", function()
      local client = join()
      call(client, "com.acme.log")
      local function publish(topic, args, kwargs)
        client:send { wamp.PUBLISH, request(client), wamp.dict {}, topic, wamp.list(args), kwargs }
      end
      publish("com.acme.order.new", { 1 })
      publish("com.acme.order", { 2 })
      publish("com.acme.orders", { 3 })
      for i = 1, 5 do publish("com.acme.thing.x" .. i .. ".moved", {}, wamp.dict { n = i }) end
      local seen = {}
      daemon.eventually(function()
        for _, line in ipairs(call(client, "com.acme.log")) do seen[#seen + 1] = line end
        return #seen >= 5
      end)
      assert.same({ "com.acme.order.new 1 guest", "com.acme.order 2 guest",
        "x1=1", "x4=4", "x5=5" }, seen)
    end)

    it("does things at times, and is told of sessions", function()
      local client = join()
      local before = call(client, "com.acme.ticks")
      assert.truthy(daemon.eventually(function()
        return call(client, "com.acme.ticks") > before + 2
      end))
      local other = join()
      other:goodbye()
      local seen = daemon.eventually(function()
        local all = call(client, "com.acme.lives", other.session)
        return #all >= 2 and all
      end)
      assert.same({ "join guest", "leave guest wamp.close.close_realm" }, { table.unpack(seen) })
      assert.same({ "load true 64" }, { table.unpack(call(client, "com.acme.lives", 0)) })
      -- the policy's own session is there, and nobody who comes or goes
      local service = call(client, "wamp.session.list", wamp.list { "trusted" })[1]
      assert.equal("policy", call(client, "wamp.session.get", service).authid)
      assert.same({}, { table.unpack(call(client, "com.acme.lives", service)) })
    end)

    it("is a session that all can see, and hears what the router says", function()
      local client = join()
      assert.is_true(daemon.eventually(function()
        return call(client, "com.acme.joined", client.session)
      end))
      local ids = call(client, "wamp.session.list")
      local found
      for _, id in ipairs(ids) do
        local details = call(client, "wamp.session.get", id)
        found = found or details.authid == "policy" and details.authrole
      end
      assert.equal("trusted", found)
    end)
  end)
end
