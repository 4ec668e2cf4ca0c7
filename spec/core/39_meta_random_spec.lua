--- The meta API under random use: arguments of every shape, and a crowd that comes and goes while
-- a watcher rebuilds the realm from nothing but its events. The harness calls core_check after
-- every step. NEXUS_SEED repeats a run.
-- SPDX-License-Identifier: MIT
local core = require "core"
local meta = require "meta"

local list, null = core.list, core.null

local seed = tonumber(os.getenv "NEXUS_SEED" or "") or 20261122

local procedures = {
  "wamp.session.count", "wamp.session.list", "wamp.session.get", "wamp.session.kill",
  "wamp.session.kill_by_authid", "wamp.session.kill_by_authrole", "wamp.session.modify_details",
  "wamp.session.add_testament", "wamp.session.flush_testaments", "wamp.registration.list",
  "wamp.registration.lookup", "wamp.registration.match", "wamp.registration.get",
  "wamp.registration.list_callees", "wamp.registration.count_callees",
  "wamp.registration.remove_callee", "wamp.subscription.list", "wamp.subscription.lookup",
  "wamp.subscription.match", "wamp.subscription.get", "wamp.subscription.list_subscribers",
  "wamp.subscription.count_subscribers", "wamp.subscription.count_suscribers",
  "wamp.subscription.remove_subscriber", "wamp.subscription.get_events",
  "wamp.reflection.procedure.list", "wamp.reflection.topic.list", "wamp.reflection.error.list",
  "wamp.reflection.procedure.describe", "wamp.reflection.topic.describe",
  "wamp.reflection.error.describe", "wamp.reflect.define", "wamp.reflect.describe",
}

local keys = { "reason", "message", "scope", "publish_options", "match", "limit", "reverse",
  "topic", "from_time", "after_publication", "kind", "surplus" }

local call_options = {
  {}, {}, {}, { receive_progress = true }, { progress = true }, { timeout = 1 },
  { disclose_me = true }, { ppt_scheme = "x_own" }, { runmode = "partition", rkey = "x" },
  { runmode = "partition" }, { runmode = "all" },
}

local errors = {}
for _, name in ipairs { "invalid_argument", "invalid_uri", "no_such_session",
  "no_such_subscription", "no_such_registration", "no_such_procedure", "not_authorized",
  "history_unavailable", "option_not_allowed" } do
  errors["wamp.error." .. name] = true
end

local function one_of(choices)
  return choices[math.random(#choices)]
end

--- A value of any shape; ids of the scene come up often.
local function any_value(ids, depth)
  local pick = math.random(depth > 2 and 9 or 13)
  if pick <= 3 then
    return one_of(ids)
  elseif pick <= 5 then
    return one_of { "com.x", "com.", "", "com..x", "exact", "prefix", "detached", "anonymous",
      "wamp.session.on_join", "\u{1F642}", ("a."):rep(200) .. "b" }
  elseif pick <= 9 then
    return one_of { null, true, false, 0, -1, 1, 1 << 53, (1 << 53) + 1, math.mininteger, 0.5,
      1e300, core.unsigned(-1), core.binary "\0\255" }
  end
  local all = {}
  for i = 1, math.random(0, 3) do
    all[pick <= 11 and i or one_of(keys)] = any_value(ids, depth + 1)
  end
  return pick <= 11 and list(all) or require("value").dict(all)
end

core.describe("Meta procedures", function(router, codec)
  it("answer any arguments once, and stay sound (seed " .. seed .. ")", function()
    math.randomseed(seed, #codec)
    local r = router { anonymous_admin = true, enable_modify_details = true }
    local boss = meta.watch(r, meta.topics.all, { roles = core.all_roles })
    local answers = { [core.RESULT] = 0, [core.ERROR] = 0 }
    for _ = 1, 1500 do
      local victim = r:join { roles = core.all_roles, team = "one" }
      local ids = { victim.session, boss.session, victim:subscribe "com.x",
        victim:register("com.x", { match = one_of { "exact", "prefix" } }) }
      local procedure, args, kwargs = one_of(procedures), {}, {}
      for i = 1, math.random(0, 4) do
        args[i] = any_value(ids, 0)
      end
      for _ = 1, math.random(0, 2) do
        kwargs[one_of(keys)] = any_value(ids, 0)
      end
      local actions, count = boss:call(procedure, args, kwargs, one_of(call_options)), 0
      for _, message in ipairs(boss:messages(actions)) do
        if message[1] == core.RESULT or message[1] == core.ERROR then
          count = count + 1
          answers[message[1]] = answers[message[1]] + 1
          assert.equal(boss.last_request, message[message[1] == core.ERROR and 3 or 2])
          assert.is_true(message[1] == core.RESULT or errors[message[5]], message[5])
        else
          assert.equal(core.EVENT, message[1])
        end
      end
      assert.equal(1, count, procedure)
      assert.actions({}, r:advance(10))
      victim:drop()
      assert.equal(1, r:counters().sessions)
      assert.equal(0, r:counters().pending_calls)
    end
    assert.is_true(answers[core.RESULT] > 200, answers[core.RESULT])
    assert.is_true(answers[core.ERROR] > 200, answers[core.ERROR])
  end)
end)

---- a realm as its meta events tell it ----

local function new_mirror()
  local mirror = { sessions = {}, subscription = {}, registration = {} }
  local apply = {
    ["wamp.session.on_join"] = function(details)
      assert.is_nil(mirror.sessions[details.session])
      mirror.sessions[details.session] = true
    end,
    ["wamp.session.on_leave"] = function(session)
      assert.is_true(mirror.sessions[session])
      mirror.sessions[session] = nil
      for _, kind in ipairs { "subscription", "registration" } do
        for _, entry in pairs(mirror[kind]) do
          assert.is_nil(entry.members[session])
        end
      end
    end,
  }
  for kind, verb in pairs { subscription = "subscribe", registration = "register" } do
    local entries, prefix = mirror[kind], "wamp." .. kind .. "."
    apply[prefix .. "on_create"] = function(session, details)
      assert.is_nil(entries[details.id])
      assert.is_true(mirror.sessions[session])
      entries[details.id] = { match = details.match, members = {} }
    end
    apply[prefix .. "on_" .. verb] = function(session, id)
      assert.is_nil(entries[id].members[session])
      entries[id].members[session] = true
    end
    apply[prefix .. "on_un" .. verb] = function(session, id)
      assert.is_true(entries[id].members[session])
      entries[id].members[session] = nil
    end
    apply[prefix .. "on_delete"] = function(_, id)
      assert.is_nil(next(entries[id].members))
      entries[id] = nil
    end
  end

  function mirror.read(watcher, actions)
    for _, event in ipairs(meta.heard(watcher, actions)) do
      if apply[event[1]] then
        apply[event[1]](table.unpack(event, 2))
      end
    end
  end

  return mirror
end

local function sorted_keys(set)
  local all = list {}
  for key in pairs(set) do
    all[#all + 1] = key
  end
  table.sort(all)
  return all
end

core.describe("A crowd", function(router, codec)
  it("is what its events say, and leaves nothing behind (seed " .. seed .. ")", function()
    math.randomseed(seed, #codec)
    local r = router { anonymous_admin = true }
    local boss = meta.watch(r, meta.topics.all)
    local before = r:counters()
    local mirror, crowd, joined = new_mirror(), {}, 0
    mirror.sessions[boss.session] = true

    local function take(actions)
      mirror.read(boss, actions)
      return actions
    end

    local function gone(peer)
      for i, other in ipairs(crowd) do
        if other == peer then
          crowd[i] = crowd[#crowd]
          crowd[#crowd] = nil
          return
        end
      end
    end

    local acts = {
      subscribe = function(peer)
        local actions = take(peer:send { core.SUBSCRIBE, peer:next_request(),
          { match = one_of { "exact", "prefix" } }, "com.t" .. math.random(10) })
        peer.subs[#peer.subs + 1] = peer:first(actions, core.SUBSCRIBED)[3]
      end,
      register = function(peer)
        local actions = take(peer:send { core.REGISTER, peer:next_request(),
          { invoke = "random", match = one_of { "exact", "prefix" } }, "com.p" .. math.random(10) })
        peer.regs[#peer.regs + 1] = peer:first(actions, core.REGISTERED)[3]
      end,
      unsubscribe = function(peer)
        take(peer:unsubscribe(one_of(peer.subs) or 1))
      end,
      unregister = function(peer)
        take(peer:unregister(one_of(peer.regs) or 1))
      end,
      testament = function(peer)
        meta.done(peer, "wamp.session.add_testament", { "com.t1" })
      end,
      call = function(peer)
        take(peer:call("com.p" .. math.random(10)))
      end,
      leave = function(peer)
        take(peer:send { core.GOODBYE, {}, "wamp.close.normal" })
        gone(peer)
      end,
      drop = function(peer)
        take(peer:drop())
        gone(peer)
      end,
      violate = function(peer)
        take(peer:send { core.WELCOME, 1, {} })
        gone(peer)
      end,
      kill = function(peer)
        take(boss:call("wamp.session.kill", { peer.session }))
        gone(peer)
      end,
      remove = function(peer)
        take(boss:call("wamp.subscription.remove_subscriber",
          { one_of(peer.subs) or 1, peer.session }))
        take(boss:call("wamp.registration.remove_callee",
          { one_of(peer.regs) or 1, peer.session }))
      end,
    }
    local names = { "subscribe", "subscribe", "subscribe", "register", "register", "register",
      "unsubscribe", "unregister", "testament", "call", "call", "leave", "drop", "violate",
      "kill", "remove" }

    local function compare()
      assert.like(sorted_keys(mirror.sessions), meta.sorted(boss, "wamp.session.list"))
      for _, kind in ipairs { "subscription", "registration" } do
        local ids = meta.one(boss, "wamp." .. kind .. ".list")
        local by_match = { exact = {}, prefix = {}, wildcard = {} }
        for id, entry in pairs(mirror[kind]) do
          by_match[entry.match][id] = true
          assert.like(sorted_keys(entry.members), meta.sorted(boss, ("wamp.%s.list_%s"):format(kind,
            kind == "subscription" and "subscribers" or "callees"), { id }))
        end
        for id in pairs(boss.followed) do
          by_match.exact[id] = kind == "subscription" or nil
        end
        for match, set in pairs(by_match) do
          assert.like(sorted_keys(set), ids[match])
        end
      end
    end

    local steps = 0
    while joined < 1000 do
      if #crowd < 20 then
        local peer = r:open()
        take(peer:hello { roles = core.all_roles })
        peer.subs, peer.regs, joined = {}, {}, joined + 1
        crowd[#crowd + 1] = peer
      end
      acts[one_of(names)](one_of(crowd))
      steps = steps + 1
      if steps % 200 == 0 then
        compare()
      end
    end
    compare()
    while crowd[1] do
      acts.kill(crowd[1])
    end
    compare()
    local after = r:counters()
    assert.equal(joined, after.joins - before.joins)
    for _, name in ipairs { "sessions", "subscriptions", "registrations", "pending_calls" } do
      assert.equal(before[name], after[name], name)
    end
    boss:drop()
    assert.equal(0, r:counters().sessions + r:counters().subscriptions)
  end)
end)
