--- Payload that crosses serializers: what stays, and what becomes of what the other cannot say.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local value = require "value"
local wamp = require "wamp"

local list, dict, binary, tagged = value.list, value.dict, value.binary, value.tagged
local inf, nan = math.huge, 0.0 / 0.0

--- The same in all three.
local plain = {
  { "null and booleans", wamp.null, true, false },
  { "small integers", 0, 1, -1, 23, 24, 31, 32, 127, 128, 255, 256, -24, -25, -32, -33, -128,
    -129 },
  { "16 and 32 bits", 65535, 65536, 4294967295, 4294967296, -32768, -32769, -2147483648,
    -2147483649 },
  { "ids and beyond", (1 << 53) - 1, 1 << 53, (1 << 53) + 1 },
  { "64 bits", math.maxinteger, math.mininteger, value.unsigned(math.mininteger),
    value.unsigned(-1) },
  { "floats", 0.0, 1.0, -1.5, 0.1, 1 / 3, 1e21, 1e300, 5e-324, 1.7976931348623157e308, 2.0 ^ 53 },
  { "the negative zero", -0.0 },
  { "texts", "", "a", ("b"):rep(31), ("c"):rep(32), ("d"):rep(255), ("e"):rep(256),
    ("f"):rep(65536), "é€𝄞", "\1\31\127 \" \\ /", "a\0b" },
  { "binary", binary "", binary "\0", binary "\xff\xfe\xfd", binary(("\1"):rep(300)),
    binary(("\2"):rep(70000)) },
  { "empty collections", list {}, dict {}, list { list {}, dict {} }, dict { a = list {} } },
  { "lists", list { 1, "2", 3.0 }, list { list { list { list { 1 } } } } },
  { "dicts", dict { a = 1, b = dict { c = dict { d = wamp.null } } }, dict { [""] = 1 },
    dict { ["key with \"quotes\" and é"] = "x" } },
}

-- name; the value as the sender writes it; what a receiver of each serializer gets
local from = {
  json = {
    { "an exponent makes a float", "1e3", json = 1000.0, msgpack = 1000.0, cbor = 1000.0 },
    { "escapes", '"\\u00e9\\ud834\\udd1e\\/\\n"', json = "é𝄞/\n", msgpack = "é𝄞/\n",
      cbor = "é𝄞/\n" },
    { "a lone surrogate", '"a\\ud800b"', msgpack = "a\u{FFFD}b", cbor = "a\u{FFFD}b" },
    { "an integer of 66 bits", "36893488147419103232", json = tagged("number",
      "36893488147419103232"), msgpack = 36893488147419103232.0, cbor = 36893488147419103232.0 },
    { "a negative integer of 65 bits", "-18446744073709551616",
      msgpack = -18446744073709551616.0, cbor = -18446744073709551616.0 },
    { "binary without padding", '"\\u0000YQ"', json = binary "a", msgpack = binary "a",
      cbor = binary "a" },
    { "what only looks like binary", '"\\u0000!!"', json = "\0!!", msgpack = "\0!!",
      cbor = "\0!!" },
    { "spaces everywhere", " [ 1 ,\n\t{ \"a\" : 2 } ] ", json = list { 1, dict { a = 2 } },
      msgpack = list { 1, dict { a = 2 } }, cbor = list { 1, dict { a = 2 } } },
    { "a key twice", '{"a":1,"a":2}', json = dict { a = 2 }, msgpack = dict { a = 2 },
      cbor = dict { a = 2 } },
  },
  msgpack = {
    { "a float of 32 bits", "\xca\x3f\xc0\0\0", json = 1.5, msgpack = 1.5, cbor = 1.5 },
    { "an integer wider than needed", "\xcf\0\0\0\0\0\0\0\5", json = 5, msgpack = 5, cbor = 5 },
    { "a signed integer that is not negative", "\xd3\0\0\0\0\0\0\0\5", json = 5, msgpack = 5,
      cbor = 5 },
    { "not a number", wamp.serializers.msgpack.encode(nan), json = wamp.null },
    { "infinity", wamp.serializers.msgpack.encode(inf), json = wamp.null, msgpack = inf,
      cbor = inf },
    { "keys that are no texts", "\x84\1\xa1a\xc3\xa1b\xc0\xa1c\xa1k\xa1d",
      json = dict { ["1"] = "a", ["true"] = "b", null = "c", k = "d" },
      msgpack = dict { [1] = "a", [true] = "b", [wamp.null] = "c", k = "d" },
      cbor = dict { [1] = "a", [true] = "b", [wamp.null] = "c", k = "d" } },
    { "a key that JSON cannot say", "\x82\x91\1\xa1a\xa1k\xa1d", json = dict { k = "d" } },
    { "an extension", "\xd6\5abcd", json = binary "abcd", msgpack = tagged(5, "abcd"),
      cbor = binary "abcd" },
    { "a timestamp", "\xd6\xff\0\0\0\0", json = "1970-01-01T00:00:00Z",
      msgpack = tagged(-1, "\0\0\0\0"), cbor = tagged(0, "1970-01-01T00:00:00Z") },
    { "a text that is not UTF-8", "\xa2\xc3\x28", json = binary "\xc3\x28",
      msgpack = "\xc3\x28", cbor = binary "\xc3\x28" },
    { "a key twice", "\x82\xa1a\1\xa1a\2", json = dict { a = 2 }, msgpack = dict { a = 2 },
      cbor = dict { a = 2 } },
  },
  cbor = {
    { "undefined", "\xf7", json = wamp.null, msgpack = wamp.null },
    { "floats of 16 bits", "\x85\xf9\x3c\0\xf9\x7b\xff\xf9\0\1\xf9\x80\0\xf9\xc4\0",
      json = list { 1.0, 65504.0, 5.960464477539063e-8, -0.0, -4.0 },
      msgpack = list { 1.0, 65504.0, 5.960464477539063e-8, -0.0, -4.0 } },
    { "a float of 32 bits", "\xfa\x47\xc3\x50\0", json = 100000.0, msgpack = 100000.0 },
    { "infinities", "\x82\xf9\x7c\0\xf9\xfc\0", json = list { wamp.null, wamp.null },
      msgpack = list { inf, -inf } },
    { "an integer wider than needed", "\x1b\0\0\0\0\0\0\0\5", json = 5, msgpack = 5, cbor = 5 },
    { "lists of indefinite length", "\x9f\1\x9f\2\xff\x80\xff", json = list { 1, list { 2 },
      list {} }, msgpack = list { 1, list { 2 }, list {} } },
    { "a dict of indefinite length", "\xbf\x61a\1\x61b\x9f\xff\xff",
      json = dict { a = 1, b = list {} }, msgpack = dict { a = 1, b = list {} } },
    { "a text in chunks", "\x7f\x61a\x62bc\x60\xff", json = "abc", msgpack = "abc" },
    { "binary in chunks", "\x5f\x41a\x42bc\xff", json = binary "abc", msgpack = binary "abc" },
    { "a date", "\xc0\x74" .. "2013-03-21T20:04:00Z", json = "2013-03-21T20:04:00Z",
      msgpack = "2013-03-21T20:04:00Z", cbor = tagged(0, "2013-03-21T20:04:00Z") },
    { "seconds", "\xc1\5", json = 5, msgpack = 5, cbor = tagged(1, 5) },
    { "another tag", "\xd8\x20\x68http://x", json = "http://x", msgpack = "http://x",
      cbor = tagged(32, "http://x") },
    { "tags in tags", "\xc6\xc7\xc8\1", json = 1, msgpack = 1 },
    { "a big number", "\xc2\x49\1\0\0\0\0\0\0\0\0", json = 18446744073709551616.0,
      msgpack = 18446744073709551616.0 },
    { "a big negative number", "\xc3\x49\1\0\0\0\0\0\0\0\0", json = -18446744073709551616.0,
      msgpack = -18446744073709551616.0 },
    { "keys that are no texts", "\xa3\1\x61a\xf5\x61b\x61k\x61d",
      json = dict { ["1"] = "a", ["true"] = "b", k = "d" },
      msgpack = dict { [1] = "a", [true] = "b", k = "d" },
      cbor = dict { [1] = "a", [true] = "b", k = "d" } },
    { "a key twice", "\xa2\x61a\1\x61a\2", json = dict { a = 2 }, msgpack = dict { a = 2 },
      cbor = dict { a = 2 } },
  },
}

--- A PUBLISH whose only argument is given in its encoded form.
local raw_publish = {
  json = function(topic, argument)
    return ('[16,1,{},%s,[%s]]'):format(wamp.serializers.json.encode(topic), argument)
  end,
  msgpack = function(topic, argument)
    return "\x95\x10\1\x80" .. wamp.serializers.msgpack.encode(topic) .. "\x91" .. argument
  end,
  cbor = function(topic, argument)
    return "\x85\x10\1\xa0" .. wamp.serializers.cbor.encode(topic) .. "\x81" .. argument
  end,
}

conformance.with_router("Payload", {}, function(router)
  for _, source in ipairs(conformance.serializers) do
    for _, target in ipairs(conformance.serializers) do
      describe(("from %s to %s:"):format(source, target), function()
        local senders = conformance.peer(router, "ws", source)
        local receivers = conformance.peer(router, "rawsocket", target)

        for _, row in ipairs(plain) do
          local values = { table.unpack(row, 2) }

          it(row[1] .. " stay as they are in an EVENT", function()
            local alice, bob = receivers.join(), senders.join()
            local topic = senders.uri()
            local subscription = alice:subscribe(topic)
            bob:publish(topic, values, { k = list(values) })
            alice:expect_event(subscription, values, { k = list(values) })
          end)

          it(row[1] .. " stay as they are in a call, its result and its error", function()
            local alice, bob = receivers.join(), senders.join()
            local procedure = senders.uri()
            local registration = alice:register(procedure)
            local request = bob:call(procedure, values, { k = list(values) })
            local invocation = alice:expect_invocation(registration, values, { k = list(values) })
            alice:yield(invocation, values, { k = list(values) })
            bob:expect_result(request, values, { k = list(values) })
            request = bob:call(procedure)
            invocation = alice:expect_invocation(registration)
            alice:send { wamp.ERROR, wamp.INVOCATION, invocation, {}, "com.error", list(values) }
            bob:expect { wamp.ERROR, wamp.CALL, request, {}, "com.error", list(values) }
          end)
        end

        for _, row in ipairs(from[source]) do
          local expected = row[target]
          if expected ~= nil then
            it(row[1] .. " becomes " .. wamp.show(expected), function()
              local alice, bob = receivers.join(), senders.join()
              local topic = senders.uri()
              local subscription = alice:subscribe(topic)
              bob:send_payload(raw_publish[source](topic, row[2]))
              alice:expect_event(subscription, { expected })
            end)
          end
        end

        it("128 levels are not too deep", function()
          local alice, bob = receivers.join(), senders.join()
          local topic = senders.uri()
          local subscription = alice:subscribe(topic)
          local deep = list {}
          for _ = 1, 125 do
            deep = list { deep }
          end
          bob:publish(topic, { deep })
          alice:expect_event(subscription, { deep })
        end)
      end)
    end
  end

  it("one publication reaches subscribers of all serializers alike", function()
    local connections, subscription = {}, nil
    local topic = "spec.all.serializers"
    for _, transport in ipairs(conformance.transports) do
      for _, serializer in ipairs(conformance.serializers) do
        local connection = conformance.peer(router, transport, serializer).join()
        subscription = connection:subscribe(topic)
        connections[#connections + 1] = connection
      end
    end
    local args = { 1, 1.0, "é", binary "\0\1", list {}, dict {}, wamp.null, (1 << 53) + 1 }
    for _, serializer in ipairs(conformance.serializers) do
      local publisher = conformance.peer(router, "ws", serializer).join()
      local publication = publisher:publish_surely(topic, args, { k = 1.0 })
      for _, connection in ipairs(connections) do
        assert.equal(publication, connection:expect_event(subscription, args, { k = 1.0 }))
      end
    end
  end)

  it("a CBOR message may begin with the tag that says so", function()
    local alice = conformance.peer(router, "ws", "cbor").connect()
    alice:send_payload("\xd9\xd9\xf7" .. alice.serializer.encode {
      wamp.HELLO, "realm1", { roles = wamp.roles() } })
    alice:expect { wamp.WELCOME, wamp.id, wamp.any }
  end)
end)
