--- nexus.realm_named: what policies may do in other realms, as far as the configuration permits it.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local policies = require "policies"
local wamp = require "wamp"

local shop = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "*", uri = "com.**" } }
local realms <const> = {}
local function other(name)
  realms[name] = realms[name] or nexus.realm_named(name)
  return realms[name]
end
local function procedure(name, fn) policy.procedures["com.shop." .. name] = fn end
procedure("uri", function(call) return other(call.args[1]).uri end)
procedure("ask", function(call) return other(call.args[1]):call(call.args[2], call.args[3]) end)
procedure("long", function(call)
  local seen <const> = {}
  local result <const> = other(call.args[1]):call{ call.args[2], args = { 3 }, timeout = 5,
    on_progress = function(n) seen[#seen + 1] = n end }
  return nexus.result(result.args, { seen = nexus.list(seen) })
end)
procedure("tell", function(call)
  return other(call.args[1]):publish(call.args[2], { call.args[3] }, nil, call.args[4]) or "told"
end)
procedure("wrong", function(call)
  local ok <const>, words <const> = pcall(nexus.realm_named, call.args[1])
  return ok, tostring(words)
end)
procedure("refused", function(call)
  local ok <const>, err <const> = pcall(function() return other(call.args[1]):call("com.x") end)
  return ok, type(err) == "table" and err.uri or tostring(err)
end)
return policy
]]

local audit = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }
function policy.authenticate.anonymous() return { authrole = "guest" } end
policy.roles.guest = { { allow = "subscribe call register", uri = "com.**" } }
local joins, leaves = 0, 0
function policy.on_join() joins = joins + 1 end
function policy.on_leave() leaves = leaves + 1 end
local function procedure(name, fn) policy.procedures["com.audit." .. name] = fn end
procedure("who", function(call)
  return call.caller.authid, call.caller.authrole, call.caller.realm, call.args[1]
end)
procedure("count", function(call)
  for i = 1, call.args[1] do call:progress(i) end
  return call.args[1]
end)
procedure("sold_out", function() nexus.raise("com.audit.error.sold_out", { 7 }) end)
procedure("hang", function() nexus.sleep(20) end)
procedure("joins", function() return joins, leaves end)
return policy
]]

local function config(options)
  local shops = policies.write(options.shop or shop)
  local audits = policies.write(audit)
  return {
    listen = { "127.0.0.1:0" },
    workers = options.workers,
    realms = {
      shop = { policy = shops .. "/policy.lua",
        other_realms = { "com.audit", "com.tenant.*", "com.gone" } },
      ["com.audit"] = { policy = audits .. "/policy.lua" },
      ["com.secret"] = { policy = audits .. "/policy.lua" },
      open = { policy = "open" },
    },
    realm_template = { policy = "open" },
  }
end

for _, workers in ipairs { 1, 3 } do
  describe(("other realms with %d workers"):format(workers), function()
    local nexusd, guest

    local function join(realm)
      local client = policies.connect(nexusd)
      policies.hello(client, { authmethods = { "anonymous" } }, realm)
      policies.expect_welcome(client)
      return client
    end

    local function ask(client, uri, ...)
      local id = client:next_id()
      client:send { wamp.CALL, id, wamp.dict {}, uri, wamp.list { ... } }
      return client:receive()
    end

    local function call(uri, ...)
      local answer = ask(guest, "com.shop." .. uri, ...)
      assert.equal(wamp.RESULT, answer[1], answer[5])
      return answer[4], answer[5]
    end

    before_each(function()
      nexusd = daemon.start { config = config { workers = workers } }
      guest = join("shop")
    end)

    after_each(function()
      wamp.close_all()
      nexusd:stop()
    end)

    it("are called, and see who calls", function()
      assert.same({ "com.audit" }, (call("uri", "com.audit")))
      for i = 1, 3 do
        assert.same({ "policy@shop", "trusted", "com.audit", i },
          (call("ask", "com.audit", "com.audit.who", i)))
      end
    end)

    it("answer with errors of theirs", function()
      local answer = ask(guest, "com.shop.ask", "com.audit", "com.audit.sold_out")
      assert.equal(wamp.ERROR, answer[1])
      assert.equal("com.audit.error.sold_out", answer[5])
      assert.same({ 7 }, answer[6])
    end)

    it("send progressive results", function()
      local args, kwargs = call("long", "com.audit", "com.audit.count")
      assert.same({ 3 }, args)
      assert.same({ 1, 2, 3 }, kwargs.seen)
    end)

    it("get events, whatever their own rules say", function()
      local watcher = join("com.audit")
      local subscription = watcher:subscribe("com.audit.log")
      assert.same({ "told" }, (call("tell", "com.audit", "com.audit.log", "sold")))
      local event = watcher:receive()
      assert.equal(wamp.EVENT, event[1])
      assert.equal(subscription, event[2])
      assert.same({ "sold" }, event[5])
      local publication = call("tell", "com.audit", "com.audit.log", "again",
        { acknowledge = true })[1]
      assert.equal(publication, watcher:receive()[3])
    end)

    it("are not for those that the configuration does not name", function()
      for _, name in ipairs { "com.secret", "open", "com.tenant.a.b" } do
        local args = call("refused", name)
        assert.is_false(args[1])
        assert.matches('realm_named: the realm "' .. name:gsub("%.", "%%.") .. '" is not among the '
          .. "other_realms of this realm in the configuration", args[2])
      end
    end)

    it("come into being like those that clients ask for", function()
      assert.same({ "told" }, (call("tell", "com.tenant.blue", "com.topic", 1)))
      assert.same({ false, "wamp.error.no_such_procedure" }, (call("refused", "com.tenant.blue")))
    end)

    it("have names", function()
      for _, name in ipairs { "", "a b", "com..x" } do
        assert.same({ false, 'realm_named: found "' .. name .. '"; allowed: the name of a realm' },
          (call("wrong", name)))
      end
      assert.is_false(call("wrong", 7)[1])
    end)

    it("count what comes in of clients only", function()
      call("ask", "com.audit", "com.audit.who")
      local watcher = join("com.audit")
      assert.same({ 1, 0 }, ask(watcher, "com.audit.joins")[4])
    end)

    it("are left when the caller is gone", function()
      local id = guest:next_id()
      guest:send { wamp.CALL, id, wamp.dict {}, "com.shop.ask",
        wamp.list { "com.audit", "com.audit.hang" } }
      guest:send { wamp.CANCEL, id, wamp.dict { mode = "killnowait" } }
      assert.equal("wamp.error.canceled", guest:receive()[5])
      assert.same({ "policy@shop" }, { call("ask", "com.audit", "com.audit.who")[1] })
    end)
  end)
end

describe("other realms", function()
  after_each(function() wamp.close_all() end)

  it("that are not there are an error", function()
    local options = config { workers = 2 }
    options.realm_template = nil
    local nexusd = daemon.start { config = options }
    local guest = policies.connect(nexusd)
    policies.hello(guest, { authmethods = { "anonymous" } }, "shop")
    policies.expect_welcome(guest)
    for _ = 1, 2 do -- and again, after the session there could not begin
      local id = guest:next_id()
      guest:send { wamp.CALL, id, wamp.dict {}, "com.shop.refused", wamp.list { "com.gone" } }
      assert.same({ false, "wamp.error.no_such_realm" }, guest:receive()[4])
    end
    nexusd:stop()
  end)

  it("are patterns in the configuration", function()
    local options = config { workers = 1 }
    options.realms.shop.other_realms = { "com.audit", "com..x" }
    local program = daemon.spawn { flags = "--check-config", config = options }
    assert.equal(78, program:wait())
    assert.matches('other_realms: found "com%.%.x": ', program:log())
  end)
end)
