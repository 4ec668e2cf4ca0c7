--- subscription_revocation, and what causes it: wamp.subscription.remove_subscriber.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list = core.list
local UNSUBSCRIBED, EVENT = core.UNSUBSCRIBED, core.EVENT
local remove = "wamp.subscription.remove_subscriber"
local admin = { anonymous_admin = true }
local told = { roles = { caller = {}, publisher = {},
  subscriber = { features = { subscription_revocation = true } } } }

core.describe("Subscription revocation", function(router)
  --- alice announced the feature, bob did not.
  local function scene(options, uri, match)
    local r = router(options or admin)
    local boss, alice, bob = r:join(), r:join(told), r:join()
    local id = alice:subscribe(uri or "com.x", match)
    bob:subscribe(uri or "com.x", match)
    return boss, alice, bob, id, r
  end

  it("is announced", function()
    assert.is_true(router():join().welcome.roles.broker.features.subscription_revocation)
  end)

  it("is for administrators only", function()
    local boss, alice, _, id = scene {}
    meta.refused(boss, meta.not_authorized, remove, { id, alice.session })
    meta.refused(alice, meta.not_authorized, remove, { id, alice.session })
    assert.like(2, (meta.one(boss, "wamp.subscription.count_subscribers", { id })))
  end)

  it("tells a subscriber that announced it which subscription is gone, and why", function()
    for _, row in ipairs {
      { { "com.Reason-1" }, nil }, { {}, { reason = "com.Reason-1", surplus = 1 } },
      { { "com.Reason-1", "surplus" }, nil },
    } do
      local boss, alice, _, id = scene()
      local actions = meta.done(boss, remove, { id, alice.session, table.unpack(row[1]) }, row[2])
      assert.same({ { UNSUBSCRIBED, 0, { subscription = id, reason = "com.Reason-1" } } },
        alice:messages(actions))
    end
  end)

  it("tells it the subscription when there is no reason", function()
    local boss, alice, _, id = scene()
    local messages = alice:messages(meta.done(boss, remove, { id, alice.session }))
    assert.equal(1, #messages)
    assert.like(list { UNSUBSCRIBED, 0, core.including { subscription = id } }, messages[1])
  end)

  it("tells other subscribers nothing", function()
    local boss, _, bob, id = scene()
    local actions = meta.done(boss, remove, { id, bob.session }, { reason = "com.reason" })
    assert.same({}, bob:messages(actions))
  end)

  it("needs the literal true in HELLO", function()
    for _, yes in ipairs { 1, "true", list { true }, core.null, false } do
      local r = router(admin)
      local boss = r:join()
      local alice = r:join { roles = { subscriber = { features = {
        subscription_revocation = yes } } } }
      local id = alice:subscribe "com.x"
      assert.same({}, alice:messages(meta.done(boss, remove, { id, alice.session })))
    end
  end)

  for _, kind in ipairs { { "com.x", nil }, { "com", "prefix" }, { ".x", "wildcard" } } do
    it(("ends events of a subscription, %s"):format(kind[2] or "exact"), function()
      local boss, alice, bob, id = scene(admin, kind[1], { match = kind[2] })
      meta.done(boss, remove, { id, alice.session })
      local actions = boss:publish "com.x"
      assert.same({}, alice:messages(actions))
      assert.equal(id, bob:first(actions, EVENT)[2])
    end)
  end

  it("makes a later UNSUBSCRIBE fail, and allows a new SUBSCRIBE", function()
    local boss, alice, _, id = scene()
    meta.done(boss, remove, { id, alice.session })
    assert.actions({ { alice, core.failure(core.UNSUBSCRIBE, 2, meta.no_such_subscription) } },
      alice:unsubscribe(id))
    assert.equal(id, alice:subscribe "com.x")
    assert.is_truthy(alice:first(boss:publish "com.x", EVENT))
  end)

  it("leaves the subscriber's other subscriptions alone", function()
    local boss, alice, _, id = scene()
    local other = alice:subscribe "com.y"
    meta.done(boss, remove, { id, alice.session })
    assert.equal(other, alice:first(boss:publish "com.y", EVENT)[2])
    local actions = alice:unsubscribe(other)
    assert.same({ { UNSUBSCRIBED, alice.last_request } }, alice:messages(actions))
  end)

  it("tells who listens: on_unsubscribe, and on_delete after the last", function()
    local boss, alice, bob, id, r = scene()
    local watcher = meta.watch(r, meta.topics.subscription)
    local on_unsubscribe, on_delete = table.unpack(meta.topics.subscription, 3)
    assert.heard({ { on_unsubscribe, alice.session, id } }, watcher,
      meta.done(boss, remove, { id, alice.session }))
    assert.heard({ { on_unsubscribe, bob.session, id }, { on_delete, bob.session, id } }, watcher,
      meta.done(boss, remove, { id, bob.session }))
    meta.refused(boss, meta.no_such_subscription, remove, { id, bob.session })
  end)

  it("of a reserved topic is no event to anybody", function()
    local boss, alice, _, id, r = scene(admin, "wamp.session.on_join")
    local watcher = meta.watch(r, meta.topics.subscription)
    assert.heard({}, watcher, meta.done(boss, remove, { id, alice.session }))
  end)

  it("may be called about oneself", function()
    local _, alice, _, id = scene()
    local actions = meta.done(alice, remove, { id, alice.session })
    assert.equal(2, #alice:messages(actions))
    assert.like(list { UNSUBSCRIBED, 0, core.including { subscription = id } },
      alice:first(actions, UNSUBSCRIBED))
  end)

  it("refuses what is no id, a reason that is no URI, and changes nothing then", function()
    local boss, alice, _, id = scene()
    local good = { id, alice.session }
    meta.refused(boss, meta.invalid_argument, remove)
    meta.refused(boss, meta.invalid_argument, remove, { id })
    meta.refused(boss, meta.invalid_argument, remove, nil,
      { subscription = id, subscriber = alice.session })
    meta.refused_at(boss, meta.invalid_argument, remove, good, 1, meta.no_ids)
    meta.refused_at(boss, meta.invalid_argument, remove, good, 2, meta.no_ids)
    meta.refused_key(boss, meta.invalid_uri, remove, good, "reason", meta.no_uris)
    meta.refused_at(boss, meta.invalid_uri, remove, good, 3, meta.no_uris)
    assert.like(2, (meta.one(boss, "wamp.subscription.count_subscribers", { id })))
  end)

  it("knows no subscription of nobody, and no session that is no subscriber of it", function()
    local boss, alice, bob, id = scene()
    meta.refused(boss, meta.no_such_subscription, remove, { 1 << 53, alice.session })
    for _, session in ipairs { boss.session, 1 << 53 } do
      meta.refused(boss, meta.no_such_session, remove, { id, session })
    end
    bob:drop()
    meta.refused(boss, meta.no_such_session, remove, { id, bob.session })
    meta.done(boss, remove, { id, alice.session })
  end)
end)
