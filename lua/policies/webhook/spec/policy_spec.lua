--- The policy "webhook".
-- SPDX-License-Identifier: MIT
local testing <const> = require "nexus.testing"

describe("webhook", function()
  local router, alice, posts
  local URL <const> = "http://orders/hook"

  local function open(answer, more)
    local settings <const> = { file = "spec/users.lua",
      hooks = { ["com.acme.order.**"] = URL } }
    for key, value in pairs(more or {}) do settings[key] = value end
    posts = {}
    router = testing.router{ policy = "policy.lua", settings = settings,
      secrets = { webhook_key = "k" } }
    router:answer_http("POST " .. URL, function(request)
      posts[#posts + 1] = request
      return answer(#posts)
    end)
    alice = router:join{ method = "anonymous" }
  end

  after_each(function() router:close() end)

  it("sends events of its topics, once when all goes well", function()
    open(function() return { status = 204 } end)
    alice:publish("com.acme.order.new", { 17 }, { urgent = true })
    alice:publish("com.acme.news", { "not this" })
    router:advance(60)
    assert.are.equal(1, #posts)
    local body <const> = posts[1].body
    assert.is_truthy(body:find('"topic":"com.acme.order.new"', 1, true), body)
    assert.is_truthy(body:find('"args":[17]', 1, true), body)
    assert.is_truthy(body:find('"kwargs":{"urgent":true}', 1, true), body)
    local signature
    for name, value in pairs(posts[1].headers) do
      if tostring(name):lower() == "x-nexus-signature" then signature = value end
    end
    assert.is_truthy(tostring(signature):match "^sha256=%x+$")
    assert.are.equal(1, router:metric "webhook_sent_total")
    assert.are.equal(0, router:kv("webhook"):size())
  end)

  it("sends again what did not come, with longer and longer pauses", function()
    open(function(n) return { status = n < 4 and 503 or 200 } end)
    alice:publish("com.acme.order.new", { 17 })
    router:advance(1.5)
    assert.are.equal(1, #posts)
    router:advance(60)
    assert.are.equal(4, #posts)
    assert.are.equal(posts[1].body, posts[4].body)
    assert.are.equal(3, router:metric "webhook_retries_total")
    assert.are.equal(0, router:kv("webhook"):size())
  end)

  it("gives up in the end, and says so", function()
    open(function() error "connection refused" end, { attempts = 3 })
    local failed <const> = alice:collect("webhook.failed", { only = "kwargs" })
    alice:publish("com.acme.order.new", { 17 })
    router:advance(60)
    assert.are.equal(3, #posts)
    assert.are.equal(1, #failed)
    assert.are.equal("com.acme.order.new", failed[1].topic)
    assert.are.equal(1, router:metric "webhook_lost_total")
    assert.are.equal(0, router:kv("webhook"):size())
  end)

  it("takes no more than it may keep", function()
    open(function() return { status = 500 } end, { max_waiting = 5 })
    for i = 1, 8 do alice:publish("com.acme.order.new", { i }) end
    router:run()
    assert.are.equal(5, router:kv("webhook"):size())
    assert.are.equal(3, router:metric "webhook_lost_total")
  end)

  it("needs hooks", function()
    open(function() return { status = 200 } end)
    local ok <const>, words <const> = pcall(testing.router, { policy = "policy.lua" })
    assert.is_false(ok)
    assert.is_truthy(tostring(words):find("settings.hooks is missing", 1, true), words)
  end)
end)
