--- Logins and judged requests at random: peers come, ask, cancel and leave in the middle.
-- Each request of those who stay is answered once, and its session's requests in their order.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local policy = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

function policy.authenticate.ticket(hello)
  if hello.authextra.wait then
    nexus.sleep(hello.authextra.wait)
  end
  return { authrole = "user", ticket = "t" }
end

function policy.admit()
  nexus.breathe()
  return true
end

local function busy()
  local sum = 0
  for i = 1, 30000 do sum = sum + i end
  return sum
end

function policy.authorize(request)
  local kind <const>, wait <const> = request.args[1], request.args[2]
  if wait > 0 then
    nexus.sleep(wait)
  end
  if kind == "busy" then
    return busy() > 0
  elseif kind == "fails" then
    error("on purpose")
  end
  assert(request.args[1] == kind, "another request")
  return kind == "yes"
end

policy.roles.user = {
  { ask = "call", uri = "com.acme.**" },
  { allow = "call", uri = "com.free.**" },
}
return policy
]]

local expected = {
  yes = "wamp.error.no_such_procedure", busy = "wamp.error.no_such_procedure",
  no = "wamp.error.not_authorized", fails = "wamp.error.authorization_failed",
  free = "wamp.error.no_such_procedure",
}
local kinds = { "yes", "yes", "no", "fails", "busy", "free" }

local function login(nexusd, random)
  local client = policies.connect(nexusd)
  local wait = random(3) == 1 and random(5) / 1000 or nil
  policies.hello(client, { authmethods = { "ticket" }, authid = "user" .. random(5),
    authextra = { wait = wait } })
  if random(6) == 1 then
    client:drop()
    return nil
  end
  policies.answer(client, "ticket", function() return "t" end)
  if random(8) == 1 then
    client:drop()
    return nil
  end
  policies.expect_welcome(client)
  return { client = client, open = {} }
end

--- Some calls; what each has to be answered is noted.
local function ask(session, random)
  local client = session.client
  for _ = 1, random(10) do
    local kind = kinds[random(#kinds)]
    local wait = random(2) == 1 and random(4) / 1000 or 0
    local id = client:next_id()
    client:send { wamp.CALL, id, {}, kind == "free" and "com.free.x" or "com.acme.x",
      { kind, wait } }
    session.open[#session.open + 1] = { id = id, uri = expected[kind] }
    if random(10) == 1 then
      session.open[#session.open].is_canceled = true
      client:send { wamp.CANCEL, id, {} }
    end
  end
end

--- All answers of a session: those that were not canceled in the order of the calls.
local function settle(session)
  local left, order = {}, {}
  for _, call in ipairs(session.open) do
    left[call.id] = call
    if not call.is_canceled then
      order[#order + 1] = call.id
    end
  end
  local next_at = 1
  for _ = 1, #session.open do
    local message = assert(session.client:receive())
    assert.equal(wamp.ERROR, message[1])
    local call = assert(left[message[3]], "an answer that nobody waits for")
    left[call.id] = nil
    if not call.is_canceled then
      assert.equal(order[next_at], call.id)
      next_at = next_at + 1
      assert.equal(call.uri, message[5])
    elseif message[5] ~= "wamp.error.canceled" then
      assert.equal(call.uri, message[5])
    end
  end
  session.open = {}
end

for _, workers in ipairs { 1, 2 } do
  describe(("a crowd with %d workers"):format(workers), function()
    it("is judged in order, whoever leaves", function()
      local seed = tonumber(os.getenv("SEED") or "") or 7 + workers
      math.randomseed(seed)
      local random = math.random
      local nexusd = policies.start(policy, { workers = workers })
      local sessions = {}
      for _ = 1, 150 do
        local choice = random(4)
        if choice == 1 or #sessions == 0 then
          sessions[#sessions + 1] = login(nexusd, random)
        elseif choice == 2 then
          ask(sessions[random(#sessions)], random)
        elseif choice == 3 then
          settle(sessions[random(#sessions)])
        elseif random(3) == 1 then
          table.remove(sessions, random(#sessions)).client:drop()
        end
      end
      for _, session in ipairs(sessions) do
        settle(session)
      end
      wamp.close_all()
      assert(daemon.eventually(function()
        return nexusd:status().connections <= 1
      end), "connections are left")
      nexusd:stop()
    end)
  end)
end
