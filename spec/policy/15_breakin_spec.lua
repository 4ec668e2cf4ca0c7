--- Policies that will not stop, eat memory, flood, or wait for ever, wherever they are called.
--
-- Each way goes through each place: the answer is no, the log names file and line, and a realm
-- beside it on the same thread answers meanwhile.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

-- Every way is a line of its own, which the log names.
local ways = {
  { "loop", "while true do end" },
  { "pcall_loop", "while true do pcall(function() while true do end end) end" },
  { "xpcall_loop", "xpcall(error, function() while true do end end)" },
  { "bomb", "local t = {} while true do t[#t + 1] = ('x'):rep(100000 + #t) end" },
  { "small_bomb", "local t = {} while true do t = { t, t } end" },
  { "recursion", "local function f(n) return 1 + f(n) end f(1)" },
  { "endless_concat", "local s = 'x' while true do s = s .. s end" },
  { "close_loop", "local _ <close> = setmetatable({}, { __close = function() while true do end "
    .. "end }) while true do end" },
  { "coroutines", "while true do coroutine.wrap(function() while true do end end)() end" },
  { "raise_nil", "error(nil)" },
  { "raise_table", "error({})" },
  { "raise_function", "error(print)" },
  { "raise_liar", "error(setmetatable({}, { __tostring = function() while true do end end }))" },
  { "odd", "return setmetatable({}, { __index = function() while true do end end }).x" },
  { "sort_wait", "table.sort({ 3, 1, 2 }, function() nexus.sleep(1) end)" },
  { "gsub_wait", "('abc'):gsub('.', function() nexus.sleep(1) end)" },
  { "text_wait", "tostring(setmetatable({}, { __tostring = function() nexus.sleep(1) end }))" },
  { "backtrack", "('a'):rep(3000):find(('.-'):rep(20) .. 'b')" },
  { "wait", "nexus.sleep(3600)", wall = true },
  { "pcall_wait", "while true do pcall(nexus.sleep, 3600) end", wall = true },
  { "own", "return nexus.realm:call('com.own', ...)", wall = true },
  { "flood_publish", "while true do nexus.realm:publish('com.flood', { 1 }) end" },
  { "flood_spawn", "while true do nexus.spawn(nexus.sleep, 3600) end" },
  { "flood_after", "while true do nexus.after(0.05, type, 1) end" },
  { "flood_print", "while true do print('flood') end" },
  { "flood_parallel", "local t = {} for i = 1, 1e5 do t[i] = type end nexus.parallel(t)" },
  { "flood_kill", "while true do nexus.realm:kill{ authid = 'nobody' } end" },
  { "parallel_loop", "nexus.parallel{ function() while true do end end, nexus.breathe }" },
  { "timeout_loop", "nexus.timeout(0.1, function() while true do end end)" },
}

local head = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local ways <const> = {}
]]

local tail = [[
local done = {}
local function attack(place, how, ...)
  local way = ways[how]
  if not way then return end
  done[place .. how] = "begun"
  local _ <const> = way(...)
  done[place .. how] = "went on"
end

function policy.authenticate.ticket(hello)
  local place, how = (hello.authid or ""):match("^(%w+)%-([%w_]+)$")
  if place == "authenticate" then attack(place, how) end
  return { ticket = "x", authrole = "user" }
end
function policy.admit(session)
  local place, how = session.authid:match("^(%w+)%-([%w_]+)$")
  if place == "admit" then attack(place, how) end
  return true
end
policy.roles.user = {
  { ask = "*", uri = "com.ask.**" }, { allow = "*", uri = "com.**" },
  { allow = "call", uri = "wamp.**" }, { allow = "call", uri = "nexus.policy.**" },
}
function policy.authorize(request)
  attack("authorize", request.uri:match("^com%.ask%.([%w_]+)"))
  return true
end
function policy.intercept.publish(message)
  attack("intercept", message.uri:match("^com%.icept%.([%w_]+)"))
end
function policy.filter(event)
  attack("filter", event.topic:match("^com%.filter%.([%w_]+)"))
  local how = event.topic:match("^com%.predicate%.([%w_]+)")
  if how then return function() attack("predicate", how) return true end end
end
policy.procedures["com.procedure.{how}"] = function(call)
  attack("procedure", call.params.how)
  return true
end
policy.procedures["com.own"] = { concurrency = 1, handler = function()
  return nexus.realm:call("com.own")
end }
policy.procedures["com.spawn.{how}"] = function(call)
  nexus.spawn(attack, "spawn", call.params.how)
end
policy.procedures["com.after.{how}"] = function(call)
  nexus.after(0, attack, "after", call.params.how)
end
policy.procedures["com.parallel.{how}"] = function(call)
  nexus.parallel{ function() attack("parallel", call.params.how) end, function() end }
  return true
end
policy.procedures["com.cancel.{how}"] = function(call)
  call:on_cancel(function() attack("cancel", call.params.how) end)
  nexus.sleep(3600)
end
policy.subscriptions["com.subscription.{how}"] = function(event)
  attack("subscription", event.params.how)
end
function policy.on_join(session)
  local place, how = (session.authid or ""):match("^(%w+)%-([%w_]+)$")
  if place == "join" then attack(place, how) end
end
function policy.on_leave(session)
  local place, how = (session.authid or ""):match("^(%w+)%-([%w_]+)$")
  if place == "leave" then attack(place, how) end
end
policy.procedures["com.done"] = function(call) return done[call.args[1] ] or "not begun" end
policy.procedures["com.health"] = function()
  nexus.parallel{ function() nexus.spawn(type, 1) end, nexus.breathe }
  return nexus.after(0, type, 1):remove()
end
policy.procedures["com.ping"] = function() return "pong" end
policy.budgets = {}
for _, name in ipairs{ "authenticate", "admit", "authorize", "intercept", "filter", "procedure",
    "subscription", "lifecycle", "task" } do
  policy.budgets[name] = { wall = 0.2 }
end
return policy
]]

local lines, first = {}, select(2, head:gsub("\n", "\n"))
for i, way in ipairs(ways) do
  lines[i] = ("function ways.%s(...) local _ = ... %s end\n"):format(way[1], way[2])
  way.line = first + i
end
local before_parallel = tail:match("^(.*)nexus.parallel{ function%(%) attack")
local parallel_line = ("policy.lua:%d: "):format(first + #ways + 1
  + select(2, before_parallel:gsub("\n", "\n")))

local function policy(more)
  return head .. table.concat(lines) .. (more or "") .. tail
end

local beside = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { allow = "*", uri = "com.**" } }
policy.procedures["com.ping"] = function() return "pong" end
return policy
]]

describe("a policy that misbehaves", function()
  local nexusd, other

  local function try(authid)
    local client = policies.connect(nexusd)
    policies.hello(client, { authmethods = { "ticket" }, authid = authid })
    return client
  end

  local function answer_challenge(client)
    policies.answer(client, "ticket", function() return "x" end)
  end

  local function join(authid)
    local client = try(authid)
    answer_challenge(client)
    policies.expect_welcome(client)
    return client
  end

  local function send(client, kind, uri, args, options)
    client.last_id = client.last_id + 1
    client:send { kind, client.last_id, wamp.dict(options or {}), uri, wamp.list(args or {}) }
  end

  local function call(client, uri, ...)
    send(client, wamp.CALL, uri, { ... })
    local answer = client:receive()
    return answer[1] == wamp.RESULT and (answer[4] or {})[1], answer[5]
  end

  local function start(config)
    config.realms.realm2 = { policy = policies.write(beside) }
    nexusd = daemon.start { config = config }
    other = policies.connect(nexusd)
    policies.hello(other, { authmethods = { "anonymous" } }, "realm2")
    policies.expect_welcome(other)
  end

  --- The other realm answers, and soon: what runs is cut into slices.
  local function expect_others()
    local began = socket.gettime()
    assert.equal("pong", call(other, "com.ping"))
    return socket.gettime() - began
  end

  after_each(function()
    wamp.close_all()
    nexusd:stop()
  end)

  -- What is asked for, and what must come of it. `go(client, how)` begins; `ends(client, how)`
  -- checks that the answer was no.
  local places = {
    authenticate = {
      go = function(_, how) return try("authenticate-" .. how) end,
      ends = function(client)
        client:expect { wamp.ABORT, wamp.dict {}, "wamp.error.authentication_failed" }
      end,
    },
    admit = {
      go = function(_, how)
        local client = try("admit-" .. how)
        answer_challenge(client)
        return client
      end,
      ends = function(client)
        client:expect { wamp.ABORT, wamp.dict {}, "wamp.error.authentication_failed" }
      end,
    },
    authorize = {
      go = function(client, how) send(client, wamp.CALL, "com.ask." .. how) end,
      ends = function(client)
        assert.equal("wamp.error.authorization_failed", client:receive()[5])
      end,
    },
    intercept = {
      go = function(client, how)
        send(client, wamp.PUBLISH, "com.icept." .. how, {}, { acknowledge = true })
      end,
      ends = function(client)
        assert.equal("wamp.error.authorization_failed", client:receive()[5])
      end,
    },
    filter = {
      go = function(client, how)
        send(client, wamp.PUBLISH, "com.filter." .. how, {}, { acknowledge = true })
      end,
      hears = "com.filter.",
      ends = function(client)
        assert.equal("wamp.error.authorization_failed", client:receive()[5])
      end,
    },
    predicate = {
      go = function(client, how)
        send(client, wamp.PUBLISH, "com.predicate." .. how, {}, { acknowledge = true })
      end,
      hears = "com.predicate.",
      ends = function(client, how) -- an error is one subscriber's, a budget that of all of them
        local answer = client:receive()
        assert.truthy(answer[1] == wamp.PUBLISHED
          or answer[5] == "wamp.error.authorization_failed", how)
      end,
    },
    procedure = {
      go = function(client, how) send(client, wamp.CALL, "com.procedure." .. how) end,
      ends = function(client, how)
        local answer = client:receive()
        assert.equal(wamp.ERROR, answer[1], how)
        assert.truthy(answer[5] == "wamp.error.runtime_error" or answer[5] == "wamp.error.timeout",
          answer[5])
      end,
    },
    parallel = {
      go = function(client, how) send(client, wamp.CALL, "com.parallel." .. how) end,
      ends = function(client, how)
        assert.equal(wamp.ERROR, client:receive()[1], how)
      end,
    },
    spawn = {
      go = function(client, how) send(client, wamp.CALL, "com.spawn." .. how) end,
      ends = function(client) assert.equal(wamp.RESULT, client:receive()[1]) end,
    },
    after = {
      go = function(client, how) send(client, wamp.CALL, "com.after." .. how) end,
      ends = function(client) assert.equal(wamp.RESULT, client:receive()[1]) end,
    },
    subscription = {
      go = function(client, how)
        send(client, wamp.PUBLISH, "com.subscription." .. how, {}, { acknowledge = true })
      end,
      ends = function(client) assert.equal(wamp.PUBLISHED, client:receive()[1]) end,
    },
    cancel = {
      go = function(client, how)
        send(client, wamp.CALL, "com.cancel." .. how)
        client:send { wamp.CANCEL, client.last_id, wamp.dict { mode = "kill" } }
      end,
      ends = function(client) assert.equal(wamp.ERROR, client:receive()[1]) end,
    },
    join = {
      go = function(_, how) return join("join-" .. how) end,
      ends = function(client) assert.equal("pong", call(client, "com.ping")) end,
    },
    leave = {
      go = function(_, how)
        local client = join("leave-" .. how)
        client:send { wamp.GOODBYE, wamp.dict {}, "wamp.close.normal" }
        return client
      end,
      ends = function(client) assert.equal(wamp.GOODBYE, client:receive()[1]) end,
    },
  }

  local function expect_end(place, how, client)
    local state = daemon.eventually(function()
      local now = call(client, "com.done", place .. how)
      return now == "begun" and now
    end)
    assert.equal("begun", state, how)
  end

  for place, of in pairs(places) do
    it("is stopped in " .. place, function()
      start(policies.config(policy()))
      local watcher, client = join("watcher"), join("client")
      local slowest = 0
      for _, way in ipairs(ways) do
        local how = way[1]
        if of.hears then
          watcher.last_id = watcher.last_id + 1
          watcher:send { wamp.SUBSCRIBE, watcher.last_id, wamp.dict {}, of.hears .. how }
          assert.equal(wamp.SUBSCRIBED, watcher:receive()[1])
        end
        local actor = of.go(client, how) or client
        slowest = math.max(slowest, expect_others())
        of.ends(actor, how)
        if of.hears then
          send(watcher, wamp.CALL, "com.ping")
          assert.equal(wamp.RESULT, watcher:receive()[1], how) -- no EVENT before it
        end
        expect_end(place, how, watcher)
        local line = ("policy.lua:%d: "):format(way.line)
        if way.wall and place == "parallel" then
          line = parallel_line -- who waits for it is late at the same time
        end
        assert.truthy(daemon.eventually(function()
          return nexusd:log():find(line, 1, true)
            or place == "predicate" and nexusd:log():find("policy.lua:%d+: not enough memory")
            or way[1]:find("^raise_") and nexusd:log():find("policy-failed", 1, true)
        end, 2), how .. " at " .. line .. "\n" .. nexusd:log():sub(-2000))
        assert.truthy(daemon.eventually(function() return call(watcher, "com.health") end))
      end
      assert.is_true(slowest < 2, slowest)
    end)
  end
end)
