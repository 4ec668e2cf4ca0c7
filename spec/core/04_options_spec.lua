--- Options: each known key with each wrong type or value, and the order of all checks.
-- SPDX-License-Identifier: MIT
local core = require "core"

local null, list, binary = core.null, core.list, core.binary

-- Values of every kind; each row below says which ones its key accepts.
local samples = {
  ["null"] = null, ["true"] = true, ["false"] = false, ["0"] = 0, ["1"] = 1, ["-1"] = -1,
  ["1.5"] = 1.5, ["2^60"] = 1 << 60, ["text"] = "text", ["empty text"] = "",
  ["binary"] = binary "x",
  ["empty list"] = list {}, ["list of ids"] = list { 1, 2 }, ["list with 0"] = list { 1, 0 },
  ["list of texts"] = list { "a", "b" }, ["mixed list"] = list { "a", 1 },
  ["list of null"] = list { null }, ["dict"] = {}, ["dict with keys"] = { a = 1 },
  ["list of dicts"] = list { {} }, ["list of booleans"] = list { true },
  ["list of lists"] = list { list {} },
  ["forward"] = list { { session = 1, authid = "a", authrole = "b" } },
  ["forward without authid"] = list { { session = 1, authid = null, authrole = "b" } },
  ["forward without authrole"] = list { { session = 1, authid = "a" } },
  ["forward without session"] = list { { authid = "a", authrole = "b" } },
  ["forward with a text as session"] = list { { session = "1", authid = "a", authrole = "b" } },
  ["forward with a number as authid"] = list { { session = 1, authid = 1, authrole = "b" } },
  ["forward with a number as authrole"] = list { { session = 1, authid = "a", authrole = 1 } },
  ["exact"] = "exact", ["prefix"] = "prefix", ["wildcard"] = "wildcard", ["Exact"] = "Exact",
  ["single"] = "single", ["roundrobin"] = "roundrobin", ["random"] = "random", ["first"] = "first",
  ["last"] = "last", ["all"] = "all", ["skip"] = "skip", ["kill"] = "kill",
  ["killnowait"] = "killnowait", ["abort"] = "abort", ["cryptobox"] = "cryptobox",
  ["mqtt"] = "mqtt", ["xbr"] = "xbr", ["x_own"] = "x_own", ["x_"] = "x_", ["json"] = "json",
  ["msgpack"] = "msgpack", ["cbor"] = "cbor", ["ubjson"] = "ubjson",
  ["flatbuffers"] = "flatbuffers",
}

local function set(...)
  local names = {}
  for _, name in ipairs { ... } do
    names[name] = true
  end
  return names
end

local texts = {}
for name, sample in pairs(samples) do
  if type(sample) == "string" then
    texts[name] = true
  end
end

local bool = set("true", "false")
local natural = set("0", "1", "2^60")
local id = set("1")
local ids = set("empty list", "list of ids")
local text_list = set("empty list", "list of texts")
local forward = set("empty list", "forward", "forward without authid")
local match = set("exact", "prefix", "wildcard")
local invoke = set("single", "roundrobin", "random", "first", "last")
local mode = set("skip", "kill", "killnowait")
local enc_algo = set("cryptobox", "mqtt", "xbr", "x_own")
local enc_serializer = set("json", "msgpack", "cbor", "ubjson", "flatbuffers", "x_own")

local payload_keys = {
  ppt_scheme = texts, ppt_serializer = texts, ppt_cipher = texts, ppt_keyid = texts,
  enc_algo = enc_algo, enc_serializer = enc_serializer, enc_key = texts,
}

local function with_payload_keys(keys)
  for key, accepted in pairs(payload_keys) do
    keys[key] = accepted
  end
  return keys
end

local known = {
  PUBLISH = with_payload_keys {
    acknowledge = bool, exclude_me = bool, disclose_me = bool, retain = bool, exclude = ids,
    eligible = ids, exclude_authid = text_list, exclude_authrole = text_list,
    eligible_authid = text_list, eligible_authrole = text_list, rkey = texts,
    forward_for = forward, transaction_hash = texts,
  },
  SUBSCRIBE = { match = match, get_retained = bool, nkey = texts, forward_for = forward },
  CALL = with_payload_keys {
    progress = bool, receive_progress = bool, timeout = natural, disclose_me = bool,
    runmode = texts, rkey = texts, forward_for = forward, caller = id, caller_authid = texts,
    caller_authrole = texts, transaction_hash = texts,
  },
  CANCEL = { mode = mode },
  REGISTER = {
    match = match, invoke = invoke, disclose_caller = bool, forward_timeout = bool,
    concurrency = natural, nkey = texts, force_reregister = bool,
  },
  YIELD = with_payload_keys { progress = bool },
  ERROR = with_payload_keys {},
}

local function message_of(name, options)
  if name == "CANCEL" or name == "YIELD" then
    return { core[name], 1, options }
  elseif name == "ERROR" then
    return { core.ERROR, core.INVOCATION, 1, options, "com.error" }
  end
  return { core[name], 1, options, "com.x" }
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- A callee with one invocation, whose id is 1, to answer.
local function session_with_invocation(r)
  local alice = r:join { roles = core.all_roles }
  local bob = r:join { roles = core.all_roles }
  alice:register "com.own"
  bob:call "com.own"
  return alice
end

local function is_violation(actions)
  return #actions > 0 and actions[#actions].closed ~= nil
end

core.describe("Options:", function(router)
  for _, name in ipairs(sorted(known)) do
    for _, key in ipairs(sorted(known[name])) do
      it(("%s.%s with what it must not hold is a violation that names the key"):format(name, key),
        function()
          for _, sample in ipairs(sorted(samples)) do
            local r = router()
            local alice = session_with_invocation(r)
            local actions = alice:send(message_of(name, { [key] = samples[sample] }))
            if known[name][key][sample] then
              assert.is_false(is_violation(actions), sample .. " was refused")
            else
              assert.is_true(is_violation(actions), sample .. " was accepted")
              local abort = alice:first(actions, core.ABORT)
              assert.equal("wamp.error.protocol_violation", abort[3])
              assert.matches(name .. "." .. key .. ":", abort[2].message, 1, true)
            end
          end
        end)
    end

    it(name .. " ignores keys that it does not know", function()
      local known_elsewhere = {}
      for _, keys in pairs(known) do
        for key in pairs(keys) do
          known_elsewhere[key] = known[name][key] == nil and null or nil
        end
      end
      known_elsewhere.x_any, known_elsewhere._own, known_elsewhere.any = { 1 }, null, 5
      local r = router()
      local alice = session_with_invocation(r)
      if name == "PUBLISH" then -- every eligible_... and exclude_... is a filter there
        known_elsewhere.exclude_x = nil
      end
      assert.is_false(is_violation(alice:send(message_of(name, known_elsewhere))))
    end)
  end

  it("a number with an integral value is an integer in any guise", function()
    local alice = router():join()
    alice:register("com.x", { concurrency = 3.0 })
    assert.is_false(is_violation(alice:call("com.y", nil, nil, { timeout = 1000.0 })))
  end)

  -- {match = undefined, get_retained = undefined}, then a wrong value of the same first octet.
  for codec, octets in pairs {
    cbor = { "\x84\x18\x20\x01\xa2\x65match\xf7\x6cget_retained\xf7\x63a.b",
      "\x84\x18\x20\x01\xa1\x65match\xf6\x63a.b" },
    msgpack = { "\x94\x20\x01\x82\xa5match\xd4\0\0\xacget_retained\xd4\0\0\xa3a.b",
      "\x94\x20\x01\x81\xa5match\xd4\0\1\xa3a.b" },
  } do
    it("JavaScript's undefined is a key that was not given: " .. codec, function()
      local alice = core.router({ codec = codec }):join()
      assert.equal(core.SUBSCRIBED, alice:send_octets(octets[1])[1][2][1])
      assert.is_true(is_violation(alice:send_octets(octets[2])))
    end)
  end

  it("are not known in UNSUBSCRIBE and UNREGISTER", function()
    local alice = router():join()
    assert.is_false(is_violation(alice:send { core.UNSUBSCRIBE, 1, 1, { match = 5, mode = 5 } }))
    assert.is_false(is_violation(alice:send { core.UNREGISTER, 2, 1, { invoke = 5, mode = 5 } }))
  end)
end)

core.describe("Of several mistakes in one message", function(router)
  local function refused_because(peer, message, words)
    assert.actions(core.violation(peer, words), peer:send(message))
  end

  it("the types of elements come before the state", function()
    refused_because(router():open(), { core.SUBSCRIBE, "1", {}, "com.x" }, "SUBSCRIBE.Request")
    refused_because(router():join(), { core.EVENT, "1", 1, {} }, "EVENT.Subscription")
  end)

  it("the types of elements come before the request id", function()
    local alice = router { request_id_check = "strict" }:join()
    refused_because(alice, { core.SUBSCRIBE, 5, {}, 7 }, "SUBSCRIBE.Topic")
  end)

  it("the request id comes before the options", function()
    local alice = router { request_id_check = "strict" }:join()
    refused_because(alice, { core.SUBSCRIBE, 5, { match = 7 }, "com.x" }, "SUBSCRIBE.Request")
  end)

  it("the options come before the URI", function()
    refused_because(router():join(), { core.SUBSCRIBE, 1, { match = 7 }, "com..x" }, "match")
    refused_because(router():join(), { core.PUBLISH, 1, { retain = 7 }, "wamp.x" }, "retain")
    refused_because(router():join(), { core.REGISTER, 1, { invoke = 7 }, "wamp.x" }, "invoke")
    refused_because(router():join(), { core.CALL, 1, { timeout = -7 }, "" }, "timeout")
  end)

  it("the URI comes before features that were not announced", function()
    local alice = router():join()
    local ppt = { ppt_scheme = "mqtt" }
    assert.actions({ { alice, core.failure(core.CALL, 1, "wamp.error.invalid_uri") } },
      alice:call("com..x", nil, nil, ppt))
    ppt.acknowledge = true
    assert.actions({ { alice, core.failure(core.PUBLISH, 2, "wamp.error.invalid_uri") } },
      alice:publish("com..x", nil, nil, ppt))
    assert.actions({ { alice, core.failure(core.PUBLISH, 3, "wamp.error.invalid_uri") } },
      alice:publish("wamp.x", nil, nil, ppt))
    ppt.acknowledge = nil
    assert.actions({}, alice:publish("com..x", nil, nil, ppt))
  end)

  it("the URI comes before what exists", function()
    local alice = router():join()
    alice:register "com.x"
    assert.actions({ { alice, core.failure(core.REGISTER, 2, "wamp.error.invalid_uri") } },
      alice:send { core.REGISTER, 2, {}, "com..x" })
  end)

  it("the reserved URI comes before filters that are too long", function()
    local many = list {}
    for i = 1, 10001 do
      many[i] = i
    end
    local alice = router():join()
    assert.actions({ { alice, core.failure(core.PUBLISH, 1, "wamp.error.invalid_uri") } },
      alice:publish("wamp.x", nil, nil, { acknowledge = true, exclude = many }))
  end)
end)
