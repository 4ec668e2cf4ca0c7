--- Many reloads while calls go on: memory stays flat.
--
--   spec/bench/reload_soak.lua [RELOADS] [CALLS] [SECONDS]
--
-- By default 10000 reloads, 10 calls with each, one after the other; or spread over SECONDS.
--
-- $NEXUSD is run on 127.0.0.1 with a policy of every kind of function. Each reload is another
-- version of it, asked for by nexus.policy.reload; CALLS calls and as many events are on their way
-- meanwhile, and each must be answered. Printed are the memory of the process and of the state of
-- Lua, a line for each tenth. LUA_PATH must name spec/support/?.lua.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local socket = require "socket"
local wamp = require "wamp"

local reloads, calls = tonumber(arg[1] or 10000), tonumber(arg[2] or 10)
local seconds = tonumber(arg[3] or 0)

local function version(number)
  return ([[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
local heard <const> = nexus.kv("heard")
function policy.authenticate.anonymous() return { authrole = "user" } end
policy.roles.user = { { allow = "*", uri = "com.acme.**" }, { ask = "call", uri = "com.ask.**" },
  { allow = "call", uri = "nexus.policy.**" } }
function policy.authorize(request) return request.action == "call" end
function policy.intercept.publish(message) return nil end
function policy.filter(event) return true end
function policy.on_join() end
policy.procedures["com.acme.version"] = function() return %d end
policy.procedures["com.ask.wait"] = function() nexus.sleep(0.001) return %d end
policy.procedures["com.acme.heard"] = function() return heard:get("all") or 0 end
policy.subscriptions["com.acme.event"] = function() heard:incr("all", 1) end
policy.tasks.tick = { every = 0.05, run = function() end }
function policy.on_load() nexus.realm:register("com.acme.made", function() end) end
return policy
]]):format(number, number)
end

local config = policies.config(version(0))
local folder = config.realms.realm1.policy
local nexusd = require("daemon").start { config = config }
local admin, client = policies.connect(nexusd), policies.connect(nexusd)
for _, one in ipairs { admin, client } do
  policies.hello(one, { authmethods = { "anonymous" } })
  policies.expect_welcome(one)
end

local function send(one, kind, uri, args, options)
  one.last_id = one.last_id + 1
  one:send { kind, one.last_id, wamp.dict(options or {}), uri, wamp.list(args or {}) }
end

local function call(uri)
  send(admin, wamp.CALL, uri)
  local answer = admin:receive()
  assert(answer[1] == wamp.RESULT, answer[5])
  return answer[4][1]
end

local function write(number)
  local file = assert(io.open(folder .. "/next", "wb"))
  file:write(version(number))
  assert(file:close())
  assert(os.rename(folder .. "/next", folder .. "/policy.lua"))
end

local began, answered = socket.gettime(), 0
print("reloads seconds  RSS KiB  Lua KiB versions calls")
local function show(number)
  local status = call("nexus.policy.status")
  print(("%7d %7.1f %8d %8d %8d %d"):format(number, socket.gettime() - began, nexusd:rss(),
    status.memory // 1024, status.versions, answered))
  io.flush()
end

show(0)
for number = 1, reloads do
  socket.sleep(math.max(0, began + number / reloads * seconds - socket.gettime()))
  write(number)
  send(admin, wamp.CALL, "nexus.policy.reload")
  for i = 1, calls do
    send(client, wamp.CALL, i % 2 == 0 and "com.acme.version" or "com.ask.wait")
    send(client, wamp.PUBLISH, "com.acme.event")
  end
  for _ = 1, calls do
    local answer = client:receive()
    assert(answer[1] == wamp.RESULT, answer[5])
    answered = answered + 1
  end
  local answer = admin:receive()
  assert(answer[1] == wamp.RESULT, answer[5])
  if number % math.max(1, reloads // 10) == 0 then
    show(number)
  end
end
local heard = 0
for _ = 1, 1000 do -- the last events may be on their way
  heard = call("com.acme.heard")
  if heard == answered then break end
end
print(("events: %d published, %d heard"):format(answered, heard))
assert(heard == answered)
nexusd:stop()
