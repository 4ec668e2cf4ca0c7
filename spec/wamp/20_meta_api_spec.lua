--- The meta APIs with a real router: what the specs 31 to 37 of the core say, once over each
-- transport and serializer, and what only connections show.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local list, null, any = wamp.list, wamp.null, wamp.any
local on_join, on_leave = "wamp.session.on_join", "wamp.session.on_leave"
local invalid = "wamp.error.invalid_argument"

local able = { roles = wamp.roles {
  subscriber = { subscription_revocation = true },
  callee = { call_canceling = true, registration_revocation = true },
} }

local timestamp = wamp.text "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$"

--- Asks a meta procedure; the Arguments of its RESULT must match, and are returned.
local function ask(peer, procedure, args, kwargs, expected)
  local request = peer:call(procedure, args, kwargs)
  if expected and #expected == 0 then
    peer:expect { wamp.RESULT, request, {} }
    return
  end
  return peer:expect { wamp.RESULT, request, {}, wamp.capture(expected) }
end

local function refused(peer, uri, procedure, args, kwargs)
  local request = peer:call(procedure, args, kwargs)
  peer:expect { wamp.ERROR, wamp.CALL, request, {}, uri, { wamp.text "." } }
end

--- Subscribes; returns a function that expects EVENTs: listener { topic, arguments... }.
local function follow(peer, topics)
  local ids = {}
  for _, topic in ipairs(topics) do
    ids[topic] = peer:subscribe(topic)
  end
  return function(event)
    peer:expect { wamp.EVENT, ids[event[1]], wamp.id, {}, list { table.unpack(event, 2) } }
  end
end

local function topics_of(name)
  local topics = {}
  for i, event in ipairs { "on_create", name == "subscription" and "on_subscribe" or "on_register",
    name == "subscription" and "on_unsubscribe" or "on_unregister", "on_delete" } do
    topics[i] = ("wamp.%s.%s"):format(name, event)
  end
  return table.unpack(topics)
end

local function session_specs(peer)
  before_each(peer.fresh_realm)

  it("session_meta_api: on_join, get, count, list, on_leave", function()
    local watcher = peer.join()
    local heard = follow(watcher, { on_join, on_leave })
    local alice = peer.join { agent = "red-1.0", team = { "one", 2 }, authextra = { secret = 1 } }
    local details = wamp.including {
      session = alice.session, authid = alice.welcome.authid, authrole = "anonymous",
      authmethod = "anonymous", authprovider = "static", realm = peer.realm, agent = "red-1.0",
      team = { "one", 2 },
    }
    heard { on_join, details }
    ask(watcher, "wamp.session.get", { alice.session }, nil, { details })
    ask(alice, "wamp.session.count", nil, nil, { 2 })
    ask(alice, "wamp.session.count", { list { "root" } }, nil, { 0 })
    local ids = ask(alice, "wamp.session.list", nil, nil, { any })[1]
    table.sort(ids)
    local expected = { alice.session, watcher.session }
    table.sort(expected)
    assert.same(expected, ids)
    alice:drop()
    heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
    ask(watcher, "wamp.session.count", nil, nil, { 1 })
    refused(watcher, "wamp.error.no_such_session", "wamp.session.get", { alice.session })
    watcher:expect_nothing()
  end)

  it("session details tell the transport", function()
    local alice, bob = peer.join(), peer.join()
    local details = ask(bob, "wamp.session.get", { alice.session }, nil, { any })[1]
    local transport = details.transport
    assert.is_true(wamp.same(wamp.dict {
      type = peer.is_websocket and "websocket" or "rawsocket",
      protocol = "wamp.2." .. peer.serializer,
      peer = transport.peer,
      secure = wamp.transports[peer.transport].tls == true,
    }, transport), wamp.show(transport))
    assert.matches(peer.transport == "unix" and "^unix:" or "^tcp4:127%.0%.0%.1:%d+$",
      transport.peer)
    assert.is_nil(details.authextra)
    assert.is_nil(details.roles)
    assert.is_nil(details.authmethods)
  end)

  it("session_meta_api: the kill procedures", function()
    local boss = peer.join()
    local heard = follow(boss, { on_leave })
    local function victim(act)
      local alice = peer.join()
      local request = act(alice)
      heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
      return alice, request
    end
    local alice, request = victim(function(peer_)
      return boss:call("wamp.session.kill", { peer_.session },
        { reason = "com.reason", message = "go" })
    end)
    boss:expect { wamp.RESULT, request, {} }
    alice:expect { wamp.GOODBYE, { message = "go" }, "com.reason" }
    alice:send { wamp.GOODBYE, {}, "wamp.close.goodbye_and_out" }
    alice:expect_closed(1000)
    local bob
    bob, request = victim(function(peer_)
      return boss:call("wamp.session.kill_by_authid", { peer_.welcome.authid })
    end)
    boss:expect_result(request, { list { bob.session } })
    bob:expect { wamp.GOODBYE, {}, "wamp.close.killed" }
    local carol
    carol, request = victim(function()
      return boss:call("wamp.session.kill_by_authrole", { "anonymous" })
    end)
    boss:expect_result(request, { 1 })
    carol:expect { wamp.GOODBYE, {}, "wamp.close.killed" }
    local others = { peer.join(), peer.join(), peer.join() }
    for _, other in ipairs(others) do
      other:call("wamp.session.add_testament", { "wamp", list {}, {} })
      other:expect { wamp.ERROR, wamp.CALL, 1, {}, "wamp.error.invalid_uri", any }
    end
    ask(boss, "wamp.session.kill_all", nil, { message = "all" }, { 3 })
    for _, other in ipairs(others) do
      other:expect { wamp.GOODBYE, { message = "all" }, "wamp.close.killed" }
    end
    boss:expect_nothing()
  end)

  it("session_meta_api: what a kill refuses", function()
    local boss, alice = peer.join(), peer.join()
    refused(boss, "wamp.error.no_such_session", "wamp.session.kill", { boss.session })
    refused(boss, "wamp.error.no_such_session", "wamp.session.kill", { 1 << 53 })
    refused(boss, invalid, "wamp.session.kill")
    refused(boss, invalid, "wamp.session.kill", { null })
    refused(boss, invalid, "wamp.session.kill", { "x" })
    refused(boss, invalid, "wamp.session.kill", { alice.session }, { message = 5 })
    for _, reason in ipairs { "", "a..b", 5, list { "com.x" } } do
      refused(boss, "wamp.error.invalid_uri", "wamp.session.kill", { alice.session },
        { reason = reason })
    end
    alice:expect_nothing()
  end)

  it("session_meta_api: modify_details", function()
    local boss, alice = peer.join(), peer.join { team = "one" }
    local id = alice:subscribe "com.x"
    ask(boss, "wamp.session.modify_details", { alice.session, { team = "two", level = 7 } }, nil,
      {})
    ask(boss, "wamp.session.get", { alice.session }, nil,
      { wamp.including { team = "two", level = 7 } })
    boss:publish("com.x", { 1 }, nil, { eligible_team = { "one" } })
    boss:publish("com.x", { 2 }, nil, { eligible_team = { "two" } })
    alice:expect_event(id, { 2 })
    refused(boss, invalid, "wamp.session.modify_details", { alice.session, { authrole = "root" } })
  end)

  it("testament_meta_api: both scopes, in order, after every kind of end", function()
    local watcher = peer.join()
    local heard = follow(watcher, { "com.a", "com.b", on_leave })
    local leave = {
      function(alice) alice:goodbye() end,
      function(alice) alice:drop() end,
      function(alice)
        alice:send { wamp.ABORT, {}, "wamp.close.normal" }
        alice:expect_closed()
      end,
      function(alice)
        alice:send { wamp.WELCOME, 1, {} }
        alice:expect_violation()
      end,
    }
    for i = 1, #leave do
      local alice = peer.join()
      ask(alice, "wamp.session.add_testament", { "com.a", list { 1 }, {} }, nil, {})
      ask(alice, "wamp.session.add_testament", { "com.b", list { 2 } }, { scope = "detached" }, {})
      ask(alice, "wamp.session.add_testament", { "com.a", list { 3 } },
        { publish_options = { eligible = list { watcher.session } } }, {})
      ask(alice, "wamp.session.add_testament", { "com.a", list { 4 } },
        { publish_options = { exclude = list { watcher.session } } }, {})
      refused(alice, invalid, "wamp.session.add_testament", { "com.a" }, { scope = "x" })
      leave[i](alice)
      heard { "com.b", 2 }
      heard { "com.a", 1 }
      heard { "com.a", 3 }
      heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
    end
    local alice = peer.join()
    ask(alice, "wamp.session.add_testament", { "com.a" }, nil, {})
    ask(alice, "wamp.session.add_testament", { "com.b" }, { scope = "detached" }, {})
    ask(alice, "wamp.session.flush_testaments", nil, nil, {})
    ask(alice, "wamp.session.flush_testaments", nil, { scope = "detached" }, {})
    alice:goodbye()
    heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
    watcher:expect_nothing()
  end)
end

local function member_specs(peer)
  before_each(peer.fresh_realm)

  it("registration_meta_api: events and procedures", function()
    local on_create, on_register, on_unregister, on_delete = topics_of "registration"
    local watcher, alice, bob = peer.join(), peer.join(able), peer.join()
    local heard = follow(watcher, { on_create, on_register, on_unregister, on_delete })
    local id = alice:register("com.x", { invoke = "roundrobin" })
    local details = { id = id, created = timestamp, uri = "com.x", match = "exact",
      invoke = "roundrobin" }
    heard { on_create, alice.session, details }
    heard { on_register, alice.session, id }
    bob:register("com.x", { invoke = "roundrobin" })
    heard { on_register, bob.session, id }
    local prefix = bob:register("com.", { match = "prefix" })
    heard { on_create, bob.session, { id = prefix, created = timestamp, uri = "com.",
      match = "prefix", invoke = "single" } }
    heard { on_register, bob.session, prefix }

    local ids = { exact = list { id }, prefix = list { prefix }, wildcard = list {} }
    ask(watcher, "wamp.registration.list", nil, nil, { ids })
    ask(watcher, "wamp.registration.lookup", { "com.x" }, nil, { id })
    ask(watcher, "wamp.registration.lookup", { "com.", { match = "prefix" } }, nil, { prefix })
    ask(watcher, "wamp.registration.lookup", { "com.y" }, nil, { null })
    ask(watcher, "wamp.registration.match", { "com.y" }, nil, { prefix })
    ask(watcher, "wamp.registration.match", { "wamp.session.count" }, nil, { null })
    ask(watcher, "wamp.registration.get", { id }, nil, { details })
    ask(watcher, "wamp.registration.list_callees", { id }, nil,
      { list { alice.session, bob.session } })
    ask(watcher, "wamp.registration.count_callees", { id }, nil, { 2 })
    refused(watcher, "wamp.error.no_such_registration", "wamp.registration.get", { 1 << 53 })
    refused(watcher, invalid, "wamp.registration.match")

    local request = watcher:call("wamp.registration.remove_callee", { id, alice.session },
      { reason = "com.reason" })
    watcher:expect_all {
      { wamp.RESULT, request, {} },
      { wamp.EVENT, wamp.any, wamp.id, {}, { alice.session, id } },
    }
    alice:expect { wamp.UNREGISTERED, 0, { registration = id, reason = "com.reason" } }
    request = alice:next_id()
    alice:send { wamp.UNREGISTER, request, id }
    alice:expect_error(wamp.UNREGISTER, request, "wamp.error.no_such_registration")
    bob:unregister(id)
    heard { on_unregister, bob.session, id }
    heard { on_delete, bob.session, id }
    bob:drop()
    heard { on_unregister, bob.session, prefix }
    heard { on_delete, bob.session, prefix }
  end)

  it("subscription_meta_api, subscription_revocation: events and procedures", function()
    local on_create, on_subscribe, on_unsubscribe, on_delete = topics_of "subscription"
    local watcher, alice, bob = peer.join(), peer.join(able), peer.join()
    local heard = follow(watcher, { on_create, on_subscribe, on_unsubscribe, on_delete })
    local id = alice:subscribe "com.x"
    local details = { id = id, created = timestamp, uri = "com.x", match = "exact" }
    heard { on_create, alice.session, details }
    heard { on_subscribe, alice.session, id }
    bob:subscribe "com.x"
    heard { on_subscribe, bob.session, id }
    bob:subscribe("wamp.session.", { match = "prefix" })
    local prefix = bob:subscribe("com.", { match = "prefix" })
    heard { on_create, bob.session, { id = prefix, created = timestamp, uri = "com.",
      match = "prefix" } }
    heard { on_subscribe, bob.session, prefix }

    local found = ask(watcher, "wamp.subscription.list", nil, nil,
      { { exact = any, prefix = any, wildcard = list {} } })[1]
    assert.equal(5, #found.exact)
    assert.equal(2, #found.prefix)
    ask(watcher, "wamp.subscription.lookup", { "com.x" }, nil, { id })
    ask(watcher, "wamp.subscription.lookup", { "com.x", { match = "wildcard" } }, nil, { null })
    ask(watcher, "wamp.subscription.match", { "com.x" }, nil, { list { id, prefix } })
    ask(watcher, "wamp.subscription.match", { "org.x" }, nil, { null })
    ask(watcher, "wamp.subscription.get", { id }, nil, { details })
    local members = ask(watcher, "wamp.subscription.list_subscribers", { id }, nil, { any })[1]
    table.sort(members)
    local expected = { alice.session, bob.session }
    table.sort(expected)
    assert.same(expected, members)
    ask(watcher, "wamp.subscription.count_subscribers", { id }, nil, { 2 })
    ask(watcher, "wamp.subscription.count_suscribers", { id }, nil, { 2 })
    refused(watcher, "wamp.error.no_such_subscription", "wamp.subscription.get", { 1 << 53 })
    refused(watcher, invalid, "wamp.subscription.lookup", { "com.x", { match = "x" } })

    local request = watcher:call("wamp.subscription.remove_subscriber", { id, alice.session },
      { reason = "com.reason" })
    watcher:expect_all {
      { wamp.RESULT, request, {} },
      { wamp.EVENT, wamp.any, wamp.id, {}, { alice.session, id } },
    }
    alice:expect { wamp.UNSUBSCRIBED, 0, { subscription = id, reason = "com.reason" } }
    request = alice:next_id()
    alice:send { wamp.UNSUBSCRIBE, request, id }
    alice:expect_error(wamp.UNSUBSCRIBE, request, "wamp.error.no_such_subscription")
    watcher:publish("com.x", { 1 })
    bob:expect_event(id, { 1 })
    bob:expect_event(prefix, { 1 }, nil, { topic = "com.x" })
    alice:expect_nothing()
    bob:drop()
    heard { on_unsubscribe, bob.session, id }
    heard { on_delete, bob.session, id }
    heard { on_unsubscribe, bob.session, prefix }
    heard { on_delete, bob.session, prefix }
    watcher:expect_nothing()
  end)

  it("who causes an event gets it too, after the reply", function()
    local alice = peer.join()
    local heard = follow(alice, { "wamp.subscription.on_subscribe",
      "wamp.registration.on_register", "wamp.registration.on_unregister" })
    local id = alice:subscribe "com.x"
    heard { "wamp.subscription.on_subscribe", alice.session, id }
    id = alice:register "com.x"
    heard { "wamp.registration.on_register", alice.session, id }
    alice:unregister(id)
    heard { "wamp.registration.on_unregister", alice.session, id }
  end)

  it("all that a session leaves behind is told in order", function()
    local watcher = peer.join(able)
    local _, _, on_unregister, no_registration = topics_of "registration"
    local _, _, on_unsubscribe, no_subscription = topics_of "subscription"
    local heard = follow(watcher, { "com.last", on_unsubscribe, no_subscription, on_unregister,
      no_registration, on_leave })
    local watch = watcher:register "com.watch"
    local alice = peer.join(able)
    local subscription, registration = alice:subscribe "com.x", alice:register "com.y"
    ask(alice, "wamp.session.add_testament", { "com.last", list { 1 } }, nil, {})
    local call = watcher:call "com.y"
    alice:expect_invocation(registration)
    alice:call "com.watch"
    watcher:expect { wamp.INVOCATION, 1, watch, {} }
    alice:drop()
    heard { "com.last", 1 }
    heard { on_unsubscribe, alice.session, subscription }
    heard { no_subscription, alice.session, subscription }
    heard { on_unregister, alice.session, registration }
    heard { no_registration, alice.session, registration }
    watcher:expect_error(wamp.CALL, call, "wamp.error.canceled")
    watcher:expect { wamp.INTERRUPT, 1, { mode = "killnowait", reason = "wamp.error.canceled" } }
    heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
  end)

  it("events of the router cannot be forged, and patterns get the real ones", function()
    local watcher, alice = peer.join(), peer.join()
    local id = watcher:subscribe("", { match = "prefix" })
    for _, topic in ipairs { on_join, on_leave, "wamp", "wamp.x", "nexus.session.on_drops" } do
      local request = alice:publish(topic, { 1 })
      assert.is_truthy(request)
      request = alice:next_id()
      alice:send { wamp.PUBLISH, request, { acknowledge = true }, topic, { 1 } }
      alice:expect_error(wamp.PUBLISH, request, "wamp.error.invalid_uri")
    end
    watcher:expect { wamp.EVENT, id, wamp.id, { topic = "wamp.subscription.on_create" }, any }
    watcher:expect { wamp.EVENT, id, wamp.id, { topic = "wamp.subscription.on_subscribe" }, any }
    watcher:expect_nothing()
    local bob = peer.join()
    watcher:expect { wamp.EVENT, id, wamp.id, { topic = on_join },
      { wamp.including { session = bob.session } } }
  end)

  it("reflection", function()
    local alice, bob = peer.join(), peer.join()
    for _, role in ipairs { "broker", "dealer" } do
      assert.is_true(alice.welcome.roles[role].reflection)
      assert.is_true(alice.welcome.roles[role].features.reflection)
    end
    local heard = follow(bob, { "wamp.reflect.on_define", "wamp.reflect.on_undefine" })
    local schema = { kind = "procedure", args = list { "int", null, 1.5 } }
    alice:register "com.x"
    ask(alice, "wamp.reflect.define", { "com.add", schema }, nil, {})
    heard { "wamp.reflect.on_define", "com.add", schema }
    local all = ask(bob, "wamp.reflection.procedure.list", nil, nil, { any })[1]
    table.sort(all)
    assert.same({ "com.add", "com.x" }, all)
    ask(bob, "wamp.reflection.procedure.describe", { "com.add" }, nil, { schema })
    refused(bob, invalid, "wamp.reflection.topic.describe", { "com.add" })
    refused(bob, "wamp.error.no_such_procedure", "wamp.reflection.procedure.describe",
      { "com.x" })
    ask(bob, "wamp.reflect.describe", nil, nil, { { ["com.add"] = schema } })
    alice:goodbye()
    ask(bob, "wamp.reflect.describe", { "com.add" }, nil, { schema })
    local request = bob:call("wamp.reflect.define", { "com.add", null })
    bob:expect_all {
      { wamp.RESULT, request, {} },
      { wamp.EVENT, any, wamp.id, {}, { "com.add" } },
    }
    bob:expect_nothing()
  end)
end

local open = { realm = { anonymous_admin = true, enable_modify_details = true } }

conformance.everywhere("The meta API:", open, session_specs)
conformance.everywhere("The meta API of members:", open, member_specs)

conformance.over_mixed("With two workers, the meta API:",
  { workers = 2, realm = open.realm }, function(peer)
    -- Homes are given in turn: of two realms made one after the other, each worker has one.
    for home = 1, 2 do
      it("tells all that happens, a realm at home on worker " .. home, function()
        peer.fresh_realm()
        if home == 2 then
          peer.join()
          peer.fresh_realm()
        end
        local watchers = {}
        for i = 1, 4 do
          local watcher = peer.join()
          watchers[i] = { watcher, follow(watcher, { on_join, on_leave,
            "wamp.subscription.on_subscribe", "wamp.subscription.on_unsubscribe" }) }
          if i > 1 then
            for k = 1, i - 1 do
              watchers[k][2] { on_join, wamp.including { session = watcher.session } }
            end
          end
        end
        local function heard(event)
          for _, watcher in ipairs(watchers) do
            watcher[2](event)
          end
        end
        local boss = watchers[1][1]
        for i = 1, 6 do
          local alice = peer.join()
          heard { on_join, wamp.including { session = alice.session, transport = {
            type = any, protocol = "wamp.2." .. peer.serializer,
            peer = wamp.text "^[tu]", secure = any,
          } } }
          local id = alice:subscribe "com.x"
          heard { "wamp.subscription.on_subscribe", alice.session, id }
          local request
          if i % 2 == 0 then
            alice:drop()
          else
            request = boss:call("wamp.session.kill", { alice.session })
            alice:expect { wamp.GOODBYE, {}, "wamp.close.killed" }
          end
          heard { "wamp.subscription.on_unsubscribe", alice.session, id }
          heard { on_leave, alice.session, alice.welcome.authid, "anonymous" }
          if request then
            boss:expect { wamp.RESULT, request, {} }
          end
        end
        for _, watcher in ipairs(watchers) do
          watcher[1]:expect_nothing()
        end
      end)
    end
  end)

conformance.over_mixed("Without anonymous_admin, the meta API:", {}, function(peer)
  it("keeps what concerns others from everybody", function()
    peer.fresh_realm()
    local alice, bob = peer.join(), peer.join()
    local subscription, registration = bob:subscribe "com.x", bob:register "com.x"
    local rows = {
      { "wamp.session.kill", { bob.session } },
      { "wamp.session.kill_by_authid", { bob.welcome.authid } },
      { "wamp.session.kill_by_authrole", { "anonymous" } },
      { "wamp.session.kill_all" },
      { "wamp.subscription.remove_subscriber", { subscription, bob.session } },
      { "wamp.registration.remove_callee", { registration, bob.session } },
      { "wamp.reflect.define", { "com.x", {} } },
    }
    for _, row in ipairs(rows) do
      refused(alice, "wamp.error.not_authorized", row[1], row[2])
    end
    refused(alice, "wamp.error.no_such_procedure", "wamp.session.modify_details",
      { bob.session, { team = "x" } })
    bob:expect_nothing()
    ask(alice, "wamp.session.count", nil, nil, { 2 })
  end)
end)
