--- nexus.testing: what a policy has (stores, databases, the web, metrics), and what it allows.
-- SPDX-License-Identifier: MIT
local policies = require "policies"
local testing = require "nexus.testing"

describe("in a test", function()
  local router, folder

  local function start(text)
    folder = policies.write(text)
    router = testing.router { policy = folder }
    return router
  end

  after_each(function()
    router:close()
  end)

  describe("a policy with data", function()
    local app

    before_each(function()
      start [[
        local nexus <const> = require "nexus"
        local policy <const> = nexus.policy{ api = 1 }
        local db <const>, store <const> = nexus.sqlite("things.db"), nexus.kv("things")
        local asked <const> = nexus.metrics.counter("asked", { kind = "order" })
        policy.roles.service = { { allow = "*", uri = "com.acme.**" } }
        function policy.authenticate.tls(hello)
          return { authid = hello.transport.tls.subject, authrole = "service" }
        end
        policy.procedures["com.acme.sum"] = function()
          return db:row("SELECT sum(price) AS s, count(*) AS n FROM t").s
        end
        policy.procedures["com.acme.order"] = function(call)
          asked:inc()
          local answer = nexus.http.get("http://orders/" .. call.args[1])
          if answer.status == 404 then nexus.raise("com.acme.error.no_such_order") end
          return answer.body, answer.headers["content-type"]
        end
        policy.procedures["com.acme.post"] = function(call)
          return nexus.http.post("http://orders/", call.args[1]).status
        end
        policy.procedures["com.acme.count"] = function(call)
          return store:incr("count", 1)
        end
        policy.tasks.tick = { every = 60, run = function() store:incr("ticks", 1) end }
        return policy ]]
      app = router:join { method = "tls", tls = { subject = "reports" } }
    end)

    it("shares its databases", function()
      local db = router:sqlite "things.db"
      assert.are.equal(0, db:exec "CREATE TABLE t (name, price)")
      for i = 1, 10 do
        assert.are.equal(1, db:exec("INSERT INTO t VALUES (?, ?)", "n" .. i, i))
      end
      assert.are.equal(55, app:call "com.acme.sum")
      assert.are.same({ name = "n3", price = 3 }, db:row("SELECT * FROM t WHERE price = ?", 3))
      assert.is_nil(db:row "SELECT * FROM t WHERE price > 10")
      assert.are.equal(2, #db:rows "SELECT * FROM t WHERE price > 8")
      assert.has_error(function() db:exec "CREATE TABEL" end)
      assert.has_error(function() router:sqlite "../x" end)
      assert.has_error(function() db:exec "ATTACH DATABASE '/tmp/x.db' AS x" end)
      assert.has_error(function() db:exec "VACUUM INTO '/tmp/x.db'" end)
    end)

    it("shares its stores", function()
      local store = router:kv "things"
      assert.are.equal(1, app:call "com.acme.count")
      assert.are.equal(1, store:get "count")
      store:set("count", 41)
      assert.are.equal(42, app:call "com.acme.count")
      store:set("list", { 1, "two", { three = 3 } }, 30)
      assert.are.same({ 1, "two", { three = 3 } }, store:get "list")
      assert.are.same({ "count", "list" }, store:keys())
      router:advance(30)
      assert.are.same({ "count" }, store:keys "c")
      assert.is_nil(store:get "list")
      store:set("count", nil)
      assert.are.equal(0, store:size())
    end)

    it("does its tasks when the clock comes there", function()
      router:advance(59)
      assert.is_nil(router:kv("things"):get "ticks")
      router:advance(1)
      assert.are.equal(1, router:kv("things"):get "ticks")
      router:advance(3600)
      assert.are.equal(61, router:kv("things"):get "ticks")
    end)

    it("asks who the test says, and not the network", function()
      router:answer_http("GET http://orders/17", { status = 404 })
      router:answer_http("GET http://orders/18", { body = "ok",
        headers = { ["Content-Type"] = "text/plain" } })
      local seen
      router:answer_http("POST http://orders/", function(request)
        seen = request
        return { status = 201 }
      end)
      local ok, err = app:try_call("com.acme.order", 17)
      assert.is_false(ok)
      assert.are.equal("com.acme.error.no_such_order", err.uri)
      assert.are.same({ "ok", "text/plain" }, { app:call("com.acme.order", 18) })
      assert.are.equal(201, app:call("com.acme.post", "body"))
      assert.are.equal("body", seen.body)
      router:answer_http("GET http://orders/20", function() return app:call "com.acme.sum" end)
      assert.is_false((app:try_call("com.acme.order", 20)))
      assert.are.equal(1, #router:log { msg = "not within the function of router:answer_http" })
      assert.is_false((app:try_call("com.acme.order", 19)))
      assert.are.equal(1, #router:log { msg = "no router:answer_http for GET http://orders/19" })
      assert.are.equal(4, router:metric("asked", { kind = "order" }))
      assert.is_nil(router:metric("asked", { kind = "news" }))
      assert.is_nil(router:metric "no_such_metric")
      assert.are.equal(2, router:metric "nexus_sessions") -- this one, and the policy's own
    end)
  end)

  describe("what is allowed", function()
    local rules <const> = [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1, attributes = { org = "string" } }
policy.roles.user = {
  { allow = "call subscribe", uri = "com.acme.**" },
  { allow = "publish", uri = "com.acme.org.{session.org}.**" },
  { deny = "*", uri = "com.acme.admin.**" },
  { ask = "call", uri = "com.acme.orders.**" },
}
function policy.authorize(request)
  nexus.sleep(1)
  if request.args[1] == "crash" then error("oh") end
  return request.session:has("org", "acme") and request.args[1] ~= 0
    or nexus.deny{ message = "for acme only" }
end
return policy
]]
    local alice

    before_each(function()
      start(rules)
      alice = router:session { authrole = "user", authid = "alice", org = "acme" }
    end)

    it("is told without doing it", function()
      assert.is_true(router:allows(alice, "call", "com.acme.x"))
      assert.is_true(router:allows(alice, "publish", "com.acme.org.acme.x"))
      assert.is_false((router:allows(alice, "publish", "com.acme.org.beta.x")))
      assert.is_false((router:allows(alice, "call", "com.acme.admin.reset")))
      assert.is_true(router:allows(alice, "subscribe", "com.acme.news.", { match = "prefix" }))
      assert.is_false((router:allows(alice, "subscribe", "com.acme.", { match = "prefix" })))
      assert.are.same({ 0 }, { router:elapsed() })
      assert.has_error(function() router:allows(alice, "read", "com.acme.x") end)
    end)

    it("is asked of policy.authorize where the rules say so", function()
      assert.is_true(router:allows(alice, "call", "com.acme.orders.show", nil, { 1 }))
      assert.are.equal(1, router:elapsed())
      local ok, words = router:allows(alice, "call", "com.acme.orders.show", nil, { 0 })
      assert.is_false(ok)
      assert.are.equal("wamp.error.not_authorized: for acme only", words)
      local beta = router:session { authrole = "user", org = "beta" }
      assert.is_false((router:allows(beta, "call", "com.acme.orders.show")))
      ok, words = router:allows(alice, "call", "com.acme.orders.show", nil, { "crash" })
      assert.is_false(ok)
      assert.are.equal("wamp.error.authorization_failed", words)
    end)

    it("is explained", function()
      assert.are.equal("denied  rule  acme/policy.lua:6  user: deny * com.acme.admin.**\n" ..
        "        beats acme/policy.lua:4  user: allow call subscribe com.acme.**",
        router:explain(alice, "call", "com.acme.admin.x"))
      assert.are.equal("denied  no rule is for it", router:explain(alice, "call", "com.beta.x"))
      local text = router:explain(alice, "call", "com.acme.orders.x", nil, { 0 })
      assert.is_truthy(text:find("asked   rule  acme/policy.lua:7  user: ask call", 1, true))
      assert.is_truthy(text:find("\n        asks  acme/policy.lua:9  policy.authorize: denied", 1,
        true))
      assert.is_truthy(text:find("authorize: denied  wamp.error.not_authorized: for acme only", 1,
        true))
    end)

    it("changes with the policy", function()
      local file = assert(io.open(folder .. "/policy.lua", "w"))
      file:write((rules:gsub("com.acme.admin", "com.acme.secret")))
      file:close()
      router:reload()
      assert.is_true(router:allows(alice, "call", "com.acme.admin.x"))
      assert.is_false((router:allows(alice, "call", "com.acme.secret.x")))
      file = assert(io.open(folder .. "/policy.lua", "w"))
      file:write "return 7"
      file:close()
      local ok, words = pcall(router.reload, router)
      assert.is_false(ok)
      assert.is_truthy(words:find("acme/policy.lua", 1, true))
      assert.is_false((router:allows(alice, "call", "com.acme.secret.x")))
    end)
  end)
end)

describe("a test of exports", function()
  local router, app

  before_each(function()
    router = testing.router { policy = policies.write [[
local nexus <const> = require "nexus"
local policy <const> = nexus.policy{ api = 1 }

function policy.authenticate.tls(hello)
  return { authid = hello.transport.tls.subject, authrole = "service" }
end

policy.roles.service = { { allow = "*", uri = "com.acme.**" } }

local db <const> = nexus.sqlite("measurements.db")
local running <const> = nexus.metrics.gauge("exports_running")

local function counted()
  running:inc()
  return setmetatable({}, { __close = function() running:dec() end })
end

policy.procedures["com.acme.export"] = {
  concurrency = 4, timeout = 30,
  handler = function(call)
    local _ <close> = counted()
    local sensor, sent = call.args[1], 0
    local rows <const> = db:rows("SELECT at, value FROM m WHERE sensor = ? ORDER BY at", sensor)
    for batch in rows:batches(500) do
      call:progress(nexus.list(batch), sent)
      sent = sent + #batch
      if call.args[2] then nexus.sleep(call.args[2]) end
    end
    return nexus.result({ sent }, { sensor = sensor })
  end,
}
return policy
]] }
    local db = router:sqlite "measurements.db"
    db:exec "CREATE TABLE m (sensor, at, value)"
    for i = 1, 1200 do
      db:exec("INSERT INTO m VALUES ('s1', ?, ?)", i, i * 0.5)
    end
    app = router:join { method = "tls", tls = { subject = "reports" } }
  end)

  after_each(function() router:close() end)

  it("sends batches", function()
    local batches = {}
    local result = app:call { "com.acme.export", args = { "s1" },
      on_progress = function(batch) batches[#batches + 1] = #batch end }
    assert.are.equal(1200, result.args[1])
    assert.are.same({ 500, 500, 200 }, batches)
    assert.are.equal(0, router:metric "exports_running")
  end)

  it("cleans up when cancelled", function()
    local pending = app:start_call { "com.acme.export", args = { "s1", 5 },
      on_progress = function() end }
    assert.are.equal(1, router:metric "exports_running")
    pending:cancel "kill"
    assert.are.equal("wamp.error.canceled", pending:error().uri)
    assert.are.equal(0, router:metric "exports_running")
  end)
end)
