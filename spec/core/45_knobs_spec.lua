--- Which spec shows what each knob of a realm does, in every position; the rest is shown here.
-- SPDX-License-Identifier: MIT
local core = require "core"

local covered = {
  { "allow_force_reregister", "core/29_registration_revocation_spec.lua" },
  { "anonymous_admin", "core/31_session_meta_api_spec.lua" },
  { "anonymous_role", "core/01_hello_spec.lua" },
  { "call_default_timeout_ms", "core/22_call_timeout_spec.lua" },
  { "call_max_timeout_ms", "core/22_call_timeout_spec.lua" },
  { "call_queue_len", "core/30_concurrency_spec.lua" },
  { "call_queue_timeout_ms", "core/30_concurrency_spec.lua" },
  { "callee_max_pending", "core/30_concurrency_spec.lua" },
  { "cancel_default_mode", "core/23_call_canceling_spec.lua" },
  { "disclose_callee_request", "core/24_caller_identification_spec.lua" },
  { "disclose_caller", "core/24_caller_identification_spec.lua" },
  { "disclose_publisher", "core/24_caller_identification_spec.lua" },
  { "empty_eligible_is_absent", "core/08_filters_spec.lua" },
  { "event_history", "core/41_event_history_spec.lua" },
  { "goodbye_timeout_ms", "core/02_states_spec.lua" },
  { "hello_timeout", "wamp/16_limits_spec.lua" },
  { "history_max_result", "core/41_event_history_spec.lua" },
  { "history_result", "core/41_event_history_spec.lua" },
  { "invoke_unknown_fallback", "core/27_shared_registration_spec.lua" },
  { "kill_grace_ms", "core/23_call_canceling_spec.lua" },
  { "kill_reason", "core/31_session_meta_api_spec.lua" },
  { "kill_results", "core/31_session_meta_api_spec.lua" },
  { "lookup_miss", "core/33_registration_meta_api_spec.lua" },
  { "max_message_size", "wamp/16_limits_spec.lua" },
  { "max_pending_calls", "core/13_limits_spec.lua" },
  { "max_registrations", "core/13_limits_spec.lua" },
  { "max_sessions", "core/01_hello_spec.lua" },
  { "max_subscriptions", "core/13_limits_spec.lua" },
  { "meta_skips_causer", "core/34_subscription_meta_api_spec.lua" },
  { "meta_strict", "core/31_session_meta_api_spec.lua" },
  { "ppt_compat", "core/12_payload_spec.lua" },
  { "progress_requires_cancel", "core/20_progressive_call_results_spec.lua" },
  { "reinterrupt", "core/20_progressive_call_results_spec.lua" },
  { "rejoin_timeout", "wamp/16_limits_spec.lua" },
  { "request_id_check", "core/05_request_ids_spec.lua" },
  { "reserved_prefixes", "core/44_reserved_prefixes_spec.lua" },
  { "retained_max_bytes", "core/42_event_retention_limits_spec.lua" },
  { "retained_max_topics", "core/42_event_retention_limits_spec.lua" },
  { "role_check", "core/43_realm_roles_spec.lua" },
  { "roles", "core/43_realm_roles_spec.lua" },
  { "strict_uris", "core/06_uris_spec.lua" },
  { "trustlevel", "core/25_trust_levels_spec.lua" },
}

describe("The knob", function()
  for _, row in ipairs(covered) do
    it(("%s is set in %s"):format(row[1], row[2]), function()
      local file = assert(io.open("spec/" .. row[2]))
      local text = file:read "a"
      file:close()
      assert.is_truthy(text:find("%f[%w_]" .. row[1] .. "%f[^%w_]"))
    end)
  end
end)

core.describe("modify_details", function(router)
  local name = "wamp.session.modify_details"

  for _, is_on in ipairs { "false", "nil" } do
    it(("is no procedure with enable_modify_details = %s"):format(is_on), function()
      local r = router { anonymous_admin = true,
        enable_modify_details = ({ ["false"] = false })[is_on] }
      local alice, bob = r:join(), r:join { team = "red" }
      bob:subscribe "com.x"
      assert.actions({ { alice, core.failure(core.CALL, 1, "wamp.error.no_such_procedure") } },
        alice:call(name, { bob.session, { team = "blue" } }))
      assert.is_truthy(bob:first(
        alice:publish("com.x", nil, nil, { eligible_team = { "red" } }), core.EVENT))
    end)
  end

  it("is one with enable_modify_details = true, and effective at once", function()
    local r = router { anonymous_admin = true, enable_modify_details = true }
    local alice, bob = r:join(), r:join { team = "red" }
    bob:subscribe "com.x"
    assert.actions({ { alice, { core.RESULT, 1, {} } } },
      alice:call(name, { bob.session, { team = "blue" } }))
    assert.actions({}, alice:publish("com.x", nil, nil, { eligible_team = { "red" } }))
    assert.is_truthy(bob:first(
      alice:publish("com.x", nil, nil, { eligible_team = { "blue" } }), core.EVENT))
  end)
end)

local able = core.callee("call_canceling", "progressive_call_results")

-- What a realm does with a knob in each of its positions, as one word.
local positions = {
  { "strict_uris", { [false] = "subscribed", [true] = "wamp.error.invalid_uri" },
    function(r)
      local message = r:join():send { core.SUBSCRIBE, 1, {}, "com.Not-Strict" }[1][2]
      return message[1] == core.SUBSCRIBED and "subscribed" or message[5]
    end },
  { "request_id_check", { lenient = "taken", sequential = "taken", strict = "refused" },
    function(r)
      local alice = r:join()
      local first = alice:send { core.SUBSCRIBE, 5, {}, "com.x" }
      return first[1][2][1] == core.SUBSCRIBED and "taken" or "refused"
    end },
  { "request_id_check", { lenient = "taken", sequential = "refused", strict = "refused" },
    function(r)
      local alice = r:join()
      alice:send { core.SUBSCRIBE, 1, {}, "com.x" }
      local second = alice:send { core.SUBSCRIBE, 3, {}, "com.x" }
      return second[1][2][1] == core.SUBSCRIBED and "taken" or "refused"
    end },
  { "cancel_default_mode", { skip = "no INTERRUPT", kill = "kill", killnowait = "killnowait" },
    function(r)
      local alice, bob = r:join(able), r:join()
      alice:register "com.x"
      bob:call "com.x"
      local interrupt = alice:first(bob:send { core.CANCEL, 1, {} }, core.INTERRUPT)
      return interrupt and interrupt[3].mode or "no INTERRUPT"
    end },
  { "disclose_publisher", { never = "unknown", request = "unknown", always = "known" },
    function(r)
      local alice, bob = r:join(), r:join()
      alice:subscribe "com.x"
      return bob:publish "com.x"[1][2][4].publisher and "known" or "unknown"
    end },
  { "disclose_caller", { never = "unknown", request = "unknown", always = "known" },
    function(r)
      local alice, bob = r:join(), r:join()
      alice:register "com.x"
      return bob:call "com.x"[1][2][4].caller and "known" or "unknown"
    end },
  { "history_result", { flat = "two arguments", list = "one argument" },
    function(r)
      local alice = r:join()
      local id = alice:subscribe "com.x"
      alice:publish "com.x"
      alice:publish "com.x"
      local result = alice:call("wamp.subscription.get_events", { id })[1][2]
      return #result[4] == 2 and "two arguments" or "one argument"
    end },
  { "ppt_compat", { [false] = "refused", [true] = "delivered" },
    function(r)
      local alice, bob = r:join(), r:join()
      alice:subscribe "com.x"
      local actions = bob:send { core.PUBLISH, 1, {}, "com.x", core.binary "x" }
      return alice:first(actions, core.EVENT) and "delivered" or "refused"
    end },
  { "progress_requires_cancel", { [false] = "asked", [true] = "not asked" },
    function(r)
      local alice, bob = r:join(core.callee "progressive_call_results"), r:join()
      alice:register "com.x"
      local invocation = bob:call("com.x", nil, nil, { receive_progress = true })[1][2]
      return invocation[4].receive_progress and "asked" or "not asked"
    end },
  { "invoke_unknown_fallback", { [false] = "refused", [true] = "registered" },
    function(r)
      local answer = r:join():send { core.REGISTER, 1, { invoke = "jump_hash" }, "com.x" }[1][2]
      return answer[1] == core.REGISTERED and "registered" or "refused"
    end },
  { "role_check", { [false] = "subscribed", [true] = "refused" },
    function(r)
      local alice = r:join { roles = { caller = {} } }
      local answer = alice:send { core.SUBSCRIBE, 1, {}, "com.x" }[1][2]
      return answer[1] == core.SUBSCRIBED and "subscribed" or "refused"
    end },
}

core.describe("With the knob", function(router)
  for _, row in ipairs(positions) do
    for position, expected in pairs(row[2]) do
      it(("%s at %s: %s"):format(row[1], position, expected), function()
        local r = router { [row[1]] = position, event_history = { { uri = "com.x" } } }
        assert.equal(expected, row[3](r))
      end)
    end
  end
end)
