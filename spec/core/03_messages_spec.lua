--- What is no message, in the eyes of a session: codes, lengths, types, ids.
-- SPDX-License-Identifier: MIT
local core = require "core"

local null, list, binary = core.null, core.list, core.binary

-- Code, then for each element a good value; the optional ones stand behind the number of the
-- mandatory ones.
local shapes = {
  { "ABORT", 2, {}, "com.reason", list { 1 }, { a = 1 } },
  { "GOODBYE", 2, {}, "wamp.close.normal" },
  { "ERROR", 4, 68, 1, {}, "com.error", list { 1 }, { a = 1 } },
  { "PUBLISH", 3, 1, {}, "com.x", list { 1 }, { a = 1 } },
  { "SUBSCRIBE", 3, 1, {}, "com.x" },
  { "UNSUBSCRIBE", 2, 1, 1, {} },
  { "CALL", 3, 1, {}, "com.x", list { 1 }, { a = 1 } },
  { "CANCEL", 2, 1, {} },
  { "REGISTER", 3, 1, {}, "com.x" },
  { "UNREGISTER", 2, 1, 1, {} },
  { "YIELD", 2, 1, {}, list { 1 }, { a = 1 } },
}

local function kind_of(element)
  local kind = core.show(element):sub(1, 1)
  return kind == "{" and "dict" or kind == "[" and "list" or kind == '"' and "text" or "id"
end

local wrong = {
  dict = { list {}, "x", 1, true, null },
  text = { 1, true, null, {}, list {}, binary "x" },
  id = { 0, -1, (1 << 53) + 1, 1.5, "1", true, null, {}, list { 1 }, core.unsigned(-1),
    math.mininteger },
}

core.describe("A session that sends", function(router)
  local function refused(message)
    local alice = router():join()
    assert.actions(core.violation(alice), alice:send(message))
  end

  for _, shape in ipairs(shapes) do
    local name, mandatory = shape[1], shape[2]
    local code = core[name]
    local all = { table.unpack(shape, 3) }

    for count = 0, mandatory - 1 do
      it(("%s with %d elements too few violates the protocol"):format(name, mandatory - count),
        function()
          refused { code, table.unpack(all, 1, count) }
        end)
    end

    it(name .. " with an element too many violates the protocol", function()
      local message = { code, table.unpack(all) }
      message[#message + 1] = {}
      refused(message)
    end)

    for i = 1, mandatory do
      for _, value in ipairs(wrong[kind_of(all[i])]) do
        it(("%s with %s as element %d violates the protocol"):format(name, core.show(value), i),
          function()
            local message = { code, table.unpack(all) }
            message[i + 1] = value
            refused(message)
          end)
      end
    end
  end

  for _, value in ipairs { 1, true, {} } do
    it("arguments that are " .. core.show(value) .. " violates the protocol", function()
      refused { core.PUBLISH, 1, {}, "com.x", value }
    end)
  end

  for _, value in ipairs { 1, true, list { 1 }, "x" } do
    it("keyword arguments that are " .. core.show(value) .. " violates the protocol", function()
      refused { core.PUBLISH, 1, {}, "com.x", list {}, value }
    end)
  end

  for _, value in ipairs { 0, 7, 9, 37, 38, 71, 255, 256, 336, 338, 1023, 1 << 40, -1, 1.5, "16",
    true, null, {}, list { 16 } } do
    it("a message with the code " .. core.show(value) .. " violates the protocol", function()
      refused { value, 1, {}, "com.x" }
    end)
  end
end)

core.describe("A session may send", function(router)
  it("ids up to 2^53", function()
    local alice = router():join()
    assert.actions({ { alice, { core.SUBSCRIBED, 1 << 53, core.id } } },
      alice:send { core.SUBSCRIBE, 1 << 53, {}, "com.x" })
  end)

  it("ids as floats with an integral value", function()
    local alice = router():join()
    assert.actions({ { alice, { core.SUBSCRIBED, 7, core.id } } },
      alice:send { core.SUBSCRIBE, 7.0, {}, "com.x" })
    assert.actions({ { alice, { core.SUBSCRIBED, 9007199254740992, core.id } } },
      alice:send { core.SUBSCRIBE, 9007199254740992.0, {}, "com.x" })
  end)

  it("null in the place of arguments", function()
    local r = router()
    local alice, bob = r:join(), r:join()
    local subscription = bob:subscribe "com.x"
    local function event(...)
      return { { bob, { core.EVENT, subscription, core.id, {}, ... } } }
    end
    assert.actions(event(), alice:send { core.PUBLISH, 1, {}, "com.x", null })
    assert.actions(event(), alice:send { core.PUBLISH, 2, {}, "com.x", null, null })
    assert.actions(event(list { 1 }), alice:send { core.PUBLISH, 3, {}, "com.x", { 1 }, null })
    assert.actions(event(list {}, { a = 1 }),
      alice:send { core.PUBLISH, 4, {}, "com.x", null, { a = 1 } })
  end)

  it("a third element, which is ignored, in UNSUBSCRIBE and UNREGISTER", function()
    local alice = router():join()
    local subscription, registration = alice:subscribe "com.x", alice:register "com.x"
    assert.actions({ { alice, { core.UNSUBSCRIBED, 3 } } },
      alice:send { core.UNSUBSCRIBE, 3, subscription, { reason = 5, x = null } })
    assert.actions({ { alice, { core.UNREGISTERED, 4 } } },
      alice:send { core.UNREGISTER, 4, registration, { y = {} } })
  end)
end)

describe("Octets that no serializer can have made", function()
  local rows = {
    { "json", "" }, { "json", "[" }, { "json", "[16" }, { "json", "nonsense" }, { "json", "{}" },
    { "json", "[]" }, { "json", "16" }, { "json", "null" }, { "json", '[16,1,{},"com.x"]]' },
    { "json", '[16,1,{},"com.x",]' }, { "json", "[16,1,{},'com.x']" },
    { "json", '[16,01,{},"com.x"]' }, { "json", '[16,1,{"a":},"com.x"]' },
    { "json", '[16,1,{},"com.x",["a\nb"]]' },
    { "msgpack", "" }, { "msgpack", "\xc1" }, { "msgpack", "\x80" }, { "msgpack", "\x90" },
    { "msgpack", "\x94\x10\x01\x80" }, { "msgpack", "\x94\x10\x01\x80\xa5com." },
    { "msgpack", "\x94\x10\x01\x80\xa5com.x\x00" }, { "msgpack", "\xdf\xff\xff\xff\xff" },
    { "msgpack", "\xdd\xff\xff\xff\xff\x10" }, { "msgpack", "\x94\x10\x01\x80\xa5\xff\xff.x.x" },
    { "cbor", "" }, { "cbor", "\xff" }, { "cbor", "\xa0" }, { "cbor", "\x80" },
    { "cbor", "\x84\x10\x01\xa0" }, { "cbor", "\x84\x10\x01\xa0\x65com." },
    { "cbor", "\x84\x10\x01\xa0\x65com.x\x00" }, { "cbor", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff" },
    { "cbor", "\x84\x10\x01\xa0\x65\xff\xff.x.x" }, { "cbor", "\x1c" },
  }

  for _, row in ipairs(rows) do
    local codec, octets = row[1], row[2]
    it(("violate the protocol: %s %q"):format(codec, octets), function()
      local r = core.router { codec = codec }
      local alice = r:join()
      assert.actions(core.violation(alice), alice:send_octets(octets))
      assert.equal(0, r:counters().sessions)
    end)
  end

  it("close JSON with 1007 when it is the UTF-8 that is wrong", function()
    local alice = core.router { codec = "json" }:join()
    assert.actions(core.violation(alice, nil, 1007),
      alice:send_octets '[16,1,{},"com.x",["\xc0\x80"]]')
  end)

  it("violate the protocol when they nest deeper than 128", function()
    for _, codec in ipairs(core.codec_names) do
      local r = core.router { codec = codec }
      local alice, bob = r:join(), r:join()
      local function nested(depth)
        local value = list {}
        for _ = 2, depth do
          value = list { value }
        end
        return value
      end
      bob:subscribe "com.x"
      assert.equal(1, #alice:publish("com.x", nested(127)))
      assert.actions(core.violation(alice), alice:publish("com.x", nested(128)))
    end
  end)
end)
