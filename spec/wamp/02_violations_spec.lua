--- What a peer must not send, and what happens to it then: ABORT, the text, the close.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local wamp = require "wamp"

local to_clients = {
  { wamp.WELCOME, 1, {} },
  { wamp.CHALLENGE, "ticket", {} },
  { wamp.PUBLISHED, 1, 1 },
  { wamp.SUBSCRIBED, 1, 1 },
  { wamp.UNSUBSCRIBED, 1 },
  { wamp.EVENT, 1, 1, {} },
  { wamp.RESULT, 1, {} },
  { wamp.REGISTERED, 1, 1 },
  { wamp.UNREGISTERED, 1 },
  { wamp.INVOCATION, 1, 1, {} },
  { wamp.INTERRUPT, 1, {} },
}

local of_sessions = {
  { wamp.GOODBYE, {}, "wamp.close.close_realm" },
  { wamp.AUTHENTICATE, "secret", {} },
  { wamp.PUBLISH, 1, {}, "com.x" },
  { wamp.SUBSCRIBE, 1, {}, "com.x" },
  { wamp.UNSUBSCRIBE, 1, 1 },
  { wamp.CALL, 1, {}, "com.x" },
  { wamp.CANCEL, 1, {} },
  { wamp.REGISTER, 1, {}, "com.x" },
  { wamp.UNREGISTER, 1, 1 },
  { wamp.YIELD, 1, {} },
  { wamp.ERROR, wamp.INVOCATION, 1, {}, "com.error" },
  { wamp.ERROR, wamp.CALL, 1, {}, "com.error" },
}

conformance.everywhere("Before HELLO", {}, function(peer)
  for _, messages in ipairs { of_sessions, to_clients } do
    for _, message in ipairs(messages) do
      it(wamp.show(message) .. " is a protocol violation", function()
        local alice = peer.connect()
        alice:send(message)
        alice:expect_violation()
      end)
    end
  end

  it("ABORT closes the connection without an answer", function()
    local alice = peer.connect()
    alice:send { wamp.ABORT, {}, "wamp.error.cannot_authenticate" }
    alice:expect_closed()
  end)

  it("bytes that are no message are a protocol violation", function()
    local alice = peer.connect()
    alice:send_payload("\xc1\xc1\xc1")
    if peer.is_websocket and peer.codec.is_text then
      alice:expect_closed(1007)
    else
      alice:expect_violation()
    end
  end)
end)

local bad_messages = {
  -- no message at all
  { "a dict", wamp.dict { a = 1 } },
  { "a number", 1 },
  { "a text", "HELLO" },
  { "null", wamp.null },
  { "an empty list", wamp.list {} },
  { "a list that begins with a text", { "1", 2 } },
  { "a list that begins with null", { wamp.null, 2 } },
  { "a list that begins with a fraction", { 48.5, 1, {}, "com.x" } },
  { "a negative code", { -1 } },
  -- codes
  { "the old HEARTBEAT", { 7, 1, 1 } },
  { "the unknown code 0", { 0 } },
  { "the unknown code 38", { 38, 1 } },
  { "the unknown code 37", { 37, 1 } },
  { "the unknown code 300", { 300 } },
  { "a code beyond 64 bits of sense", { 1 << 40 } },
  -- lengths
  { "PUBLISH without a topic", { wamp.PUBLISH, 1, {} } },
  { "PUBLISH with an element too many",
    { wamp.PUBLISH, 1, {}, "com.x", wamp.list {}, {}, 1 } },
  { "SUBSCRIBE without a topic", { wamp.SUBSCRIBE, 1, {} } },
  { "SUBSCRIBE with an element too many", { wamp.SUBSCRIBE, 1, {}, "com.x", 1 } },
  { "UNSUBSCRIBE without an id", { wamp.UNSUBSCRIBE, 1 } },
  { "UNSUBSCRIBE with an element too many", { wamp.UNSUBSCRIBE, 1, 1, {}, 1 } },
  { "CALL without a procedure", { wamp.CALL, 1, {} } },
  { "CALL with an element too many", { wamp.CALL, 1, {}, "com.x", wamp.list {}, {}, 1 } },
  { "CANCEL without options", { wamp.CANCEL, 1 } },
  { "CANCEL with an element too many", { wamp.CANCEL, 1, {}, 1 } },
  { "REGISTER without a procedure", { wamp.REGISTER, 1, {} } },
  { "REGISTER with an element too many", { wamp.REGISTER, 1, {}, "com.x", 1 } },
  { "UNREGISTER without an id", { wamp.UNREGISTER, 1 } },
  { "UNREGISTER with an element too many", { wamp.UNREGISTER, 1, 1, {}, 1 } },
  { "YIELD without options", { wamp.YIELD, 1 } },
  { "YIELD with an element too many", { wamp.YIELD, 1, {}, wamp.list {}, {}, 1 } },
  { "ERROR without a URI", { wamp.ERROR, wamp.INVOCATION, 1, {} } },
  { "ERROR with an element too many",
    { wamp.ERROR, wamp.INVOCATION, 1, {}, "com.e", wamp.list {}, {}, 1 } },
  { "GOODBYE without a reason", { wamp.GOODBYE, {} } },
  { "GOODBYE with an element too many", { wamp.GOODBYE, {}, "com.x", 1 } },
  { "ABORT without a reason", { wamp.ABORT, {} } },
  -- types of elements
  { "PUBLISH with a list of options", { wamp.PUBLISH, 1, wamp.list {}, "com.x" } },
  { "PUBLISH to a number", { wamp.PUBLISH, 1, {}, 5 } },
  { "PUBLISH with a number of arguments", { wamp.PUBLISH, 1, {}, "com.x", 5 } },
  { "PUBLISH with a list of keyword arguments",
    { wamp.PUBLISH, 1, {}, "com.x", wamp.list {}, wamp.list { 1 } } },
  { "SUBSCRIBE to null", { wamp.SUBSCRIBE, 1, {}, wamp.null } },
  { "SUBSCRIBE with null for options", { wamp.SUBSCRIBE, 1, wamp.null, "com.x" } },
  { "UNSUBSCRIBE of a text", { wamp.UNSUBSCRIBE, 1, "1" } },
  { "CALL of a list", { wamp.CALL, 1, {}, wamp.list {} } },
  { "CALL with a dict of arguments", { wamp.CALL, 1, {}, "com.x", wamp.dict { a = 1 } } },
  { "CANCEL with a text for options", { wamp.CANCEL, 1, "kill" } },
  { "REGISTER of true", { wamp.REGISTER, 1, {}, true } },
  { "UNREGISTER of a fraction", { wamp.UNREGISTER, 1, 1.5 } },
  { "YIELD with a list of options", { wamp.YIELD, 1, wamp.list {} } },
  { "ERROR with a number for a URI", { wamp.ERROR, wamp.INVOCATION, 1, {}, 7 } },
  { "ERROR with a list of details",
    { wamp.ERROR, wamp.INVOCATION, 1, wamp.list {}, "com.e" } },
  { "GOODBYE with a number for a reason", { wamp.GOODBYE, {}, 7 } },
  -- ids
  { "SUBSCRIBE with the id 0", { wamp.SUBSCRIBE, 0, {}, "com.x" } },
  { "SUBSCRIBE with the id -1", { wamp.SUBSCRIBE, -1, {}, "com.x" } },
  { "SUBSCRIBE with the id 2^53 + 1", { wamp.SUBSCRIBE, (1 << 53) + 1, {}, "com.x" } },
  { "SUBSCRIBE with the id 1.5", { wamp.SUBSCRIBE, 1.5, {}, "com.x" } },
  { "SUBSCRIBE with the id \"1\"", { wamp.SUBSCRIBE, "1", {}, "com.x" } },
  { "SUBSCRIBE with the id true", { wamp.SUBSCRIBE, true, {}, "com.x" } },
  { "SUBSCRIBE with the id null", { wamp.SUBSCRIBE, wamp.null, {}, "com.x" } },
  { "PUBLISH with the id 0", { wamp.PUBLISH, 0, {}, "com.x" } },
  { "CALL with the id 0", { wamp.CALL, 0, {}, "com.x" } },
  { "REGISTER with the id 0", { wamp.REGISTER, 0, {}, "com.x" } },
  { "UNREGISTER with the id 0", { wamp.UNREGISTER, 0, 1 } },
  { "UNSUBSCRIBE with the id 0", { wamp.UNSUBSCRIBE, 0, 1 } },
  { "CANCEL with the id 0", { wamp.CANCEL, 0, {} } },
  { "YIELD with the id 0", { wamp.YIELD, 0, {} } },
  -- state
  { "a second HELLO", { wamp.HELLO, "realm1", { roles = wamp.roles() } } },
  { "AUTHENTICATE without a challenge", { wamp.AUTHENTICATE, "secret", {} } },
  { "ERROR about a CALL", { wamp.ERROR, wamp.CALL, 1, {}, "com.e" } },
  { "ERROR about a PUBLISH", { wamp.ERROR, wamp.PUBLISH, 1, {}, "com.e" } },
  { "YIELD of an invocation never made", { wamp.YIELD, 1, {} } },
  { "ERROR about an invocation never made", { wamp.ERROR, wamp.INVOCATION, 1, {}, "com.e" } },
  { "a feature that was not announced (passthru)",
    { wamp.PUBLISH, 1, { ppt_scheme = "x_custom" }, "com.x", { wamp.binary "x" } } },
}

-- message without the option, key, wrong values
local options = {
  { { wamp.PUBLISH, 1, {}, "com.x" }, "acknowledge", { 1, "true", wamp.null } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "exclude_me", { 0, "false" } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "disclose_me", { 1 } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "exclude", { 1, { "a" }, wamp.dict { a = 1 }, { 1.5 } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "eligible", { "x", { true } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "exclude_authid", { "x", { 1 } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "exclude_authrole", { true, { wamp.null } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "eligible_authid", { "x", { 1 } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "eligible_authrole", { 7, { 1 } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "retain", { 1 } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "rkey", { 1 } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "ppt_scheme", { 1 } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "forward_for", { 1, { 1 } } },
  { { wamp.PUBLISH, 1, {}, "com.x" }, "transaction_hash", { 1 } },
  { { wamp.SUBSCRIBE, 1, {}, "com.x" }, "match", { 1, "fuzzy", "", "Exact", wamp.null } },
  { { wamp.SUBSCRIBE, 1, {}, "com.x" }, "get_retained", { 1 } },
  { { wamp.SUBSCRIBE, 1, {}, "com.x" }, "nkey", { 1 } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "match", { 1, "suffix" } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "invoke", { 1, "all" } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "disclose_caller", { 1 } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "forward_timeout", { 1 } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "concurrency", { -1, "1", 1.5 } },
  { { wamp.REGISTER, 1, {}, "com.x" }, "force_reregister", { 1 } },
  { { wamp.CALL, 1, {}, "com.x" }, "progress", { 1 } },
  { { wamp.CALL, 1, {}, "com.x" }, "receive_progress", { 1 } },
  { { wamp.CALL, 1, {}, "com.x" }, "timeout", { -1, 1.5, "1" } },
  { { wamp.CALL, 1, {}, "com.x" }, "disclose_me", { "yes" } },
  { { wamp.CALL, 1, {}, "com.x" }, "rkey", { 1 } },
  { { wamp.CALL, 1, {}, "com.x" }, "runmode", { 1 } },
  { { wamp.CANCEL, 1, {} }, "mode", { 1, "later" } },
  { { wamp.YIELD, 1, {} }, "progress", { 1 } },
}

--- The message with one option more; options are the first dict.
local function with_option(message, key, wrong)
  local copy = { table.unpack(message) }
  for i, element in ipairs(copy) do
    if type(element) == "table" then
      copy[i] = { [key] = wrong }
      return copy
    end
  end
end

conformance.everywhere("In a session", {}, function(peer)
  for _, row in ipairs(bad_messages) do
    it(row[1] .. " is a protocol violation", function()
      local alice = peer.join()
      alice:send_payload(peer.codec.encode(row[2]))
      alice:expect_violation()
    end)
  end

  for _, message in ipairs(to_clients) do
    it(wamp.show(message) .. " is a protocol violation", function()
      local alice = peer.join()
      alice:send(message)
      alice:expect_violation()
    end)
  end

  for _, row in ipairs(options) do
    local message, key = row[1], row[2]
    for _, wrong in ipairs(row[3]) do
      it(("message %d with %s = %s is a violation that names the option"):format(
        message[1], key, wamp.show(wrong)), function()
        local alice = peer.join()
        alice:send(with_option(message, key, wrong))
        alice:expect_violation(key)
      end)
    end
  end
end)

local undecodable = {
  json = {
    { "nothing", "" },
    { "spaces only", "  " },
    { "a list without its end", "[48,1,{},\"com.x\"" },
    { "bytes after the message", "[48,1,{},\"com.x\"] x" },
    { "two messages", "[49,1,{}][49,1,{}]" },
    { "a trailing comma", "[48,1,{},\"com.x\",]" },
    { "a single quote", "[48,1,{},'com.x']" },
    { "the token NaN", "[48,1,{},\"com.x\",[NaN]]" },
    { "the token Infinity", "[48,1,{},\"com.x\",[-Infinity]]" },
    { "a number with a leading zero", "[48,01,{},\"com.x\"]" },
    { "a number that ends with its point", "[48,1.,{},\"com.x\"]" },
    { "a raw control character in a text", "[48,1,{},\"com.x\",[\"a\nb\"]]" },
    { "a bad escape", "[48,1,{},\"com.x\",[\"\\x\"]]" },
    { "a byte order mark", "\xef\xbb\xbf[48,1,{},\"com.x\"]" },
    { "a key that is no text", "[48,1,{},\"com.x\",[],{1:2}]" },
    { "a comment", "[48,1,{},/*x*/\"com.x\"]" },
    { "129 levels", "[48,1,{},\"com.x\"," .. ("["):rep(128) .. ("]"):rep(128) .. "]" },
    { "a million levels", ("["):rep(1000000) },
  },
  msgpack = {
    { "nothing", "" },
    { "the octet that means nothing", "\xc1" },
    { "a list without its end", "\x94\x30\x01\x80" },
    { "bytes after the message", "\x94\x30\x01\x80\xa5com.x\x00" },
    { "a length far beyond its end", "\x94\x30\x01\x80\xdb\xff\xff\xff\xffcom.x" },
    { "a count far beyond its end", "\xdd\xff\xff\xff\xff" },
    { "a URI that is not UTF-8", "\x94\x30\x01\x80\xa2\xc3\x28" },
    { "keyword arguments with a number for a key", "\x96\x30\x01\x80\xa5com.x\x90\x81\x01\x02" },
    { "options with a number for a key", "\x94\x30\x01\x81\x01\x02\xa5com.x" },
    { "130 levels", "\x95\x30\x01\x80\xa5com.x" .. ("\x91"):rep(130) .. "\x90" },
    { "a million levels", ("\x91"):rep(1000000) .. "\x90" },
  },
  cbor = {
    { "nothing", "" },
    { "a reserved length", "\x9c" },
    { "a list without its end", "\x84\x18\x30\x01\xa0" },
    { "bytes after the message", "\x84\x18\x30\x01\xa0\x65com.x\x00" },
    { "a length far beyond its end", "\x84\x18\x30\x01\xa0\x7b\xff\xff\xff\xff\xff\xff\xff\xff" },
    { "a count far beyond its end", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff" },
    { "a break out of place", "\xff" },
    { "a URI that is not UTF-8", "\x84\x18\x30\x01\xa0\x62\xc3\x28" },
    { "keyword arguments with a number for a key",
      "\x86\x18\x30\x01\xa0\x65com.x\x80\xa1\x01\x02" },
    { "options with a number for a key", "\x84\x18\x30\x01\xa1\x01\x02\x65com.x" },
    { "130 levels", "\x85\x18\x30\x01\xa0\x65com.x" .. ("\x81"):rep(130) .. "\x80" },
    { "a million levels", ("\x81"):rep(1000000) .. "\x80" },
    { "a million tags", ("\xc1"):rep(1000000) .. "\x80" },
  },
}

conformance.everywhere("Bytes that are no message:", {}, function(peer)
  for _, row in ipairs(undecodable[peer.serializer]) do
    it(row[1] .. " is a protocol violation", function()
      local alice = peer.join()
      alice:send_payload(row[2])
      alice:expect_violation()
    end)
  end
end)

conformance.everywhere("After a violation", {}, function(peer)
  it("nothing more of that peer is processed", function()
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    bob:subscribe(topic)
    alice:send_all {
      { wamp.SUBSCRIBE, 0, {}, topic },
      { wamp.PUBLISH, 2, {}, topic },
      { wamp.HELLO, "realm1", { roles = wamp.roles() } },
    }
    alice:expect_violation()
    bob:expect_nothing()
  end)

  it("what the session held is gone", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    alice:register(procedure)
    alice:send { 7 }
    alice:expect_violation()
    local request = bob:call(procedure)
    bob:expect_error(wamp.CALL, request, "wamp.error.no_such_procedure")
    bob:register(procedure)
  end)

  it("its pending call is interrupted and its invocation becomes an error", function()
    local alice, bob = peer.join(), peer.join()
    local procedure = peer.uri()
    local registration = alice:register(procedure)
    local request = bob:call(procedure)
    alice:expect_invocation(registration)
    alice:send { 7 }
    alice:expect_violation()
    bob:expect_error(wamp.CALL, request, "wamp.error.canceled")
  end)
end)

conformance.everywhere("No violation is", {}, function(peer)
  local harmless = {
    { "EVENT_RECEIVED, code 337", { 337, 1 } },
    { "UNSUBSCRIBE with options", { wamp.UNSUBSCRIBE, 9, 77, {} }, wamp.UNSUBSCRIBE,
      "wamp.error.no_such_subscription" },
    { "UNREGISTER with options", { wamp.UNREGISTER, 9, 77, {} }, wamp.UNREGISTER,
      "wamp.error.no_such_registration" },
    { "CANCEL of a call that is not there", { wamp.CANCEL, 77, {} } },
    { "an option that nobody knows", { wamp.PUBLISH, 1, { x_what = 5, acknowledged = 1 }, "a" } },
    { "null for arguments", { wamp.PUBLISH, 1, {}, "a", wamp.null, wamp.null } },
    { "an empty payload", { wamp.PUBLISH, 1, {}, "a", wamp.list {}, wamp.dict {} } },
    { "a wrong type in an unknown filter",
      { wamp.PUBLISH, 1, { eligible_planet = 5, exclude_planet = { 1 } }, "a" } },
  }
  for _, row in ipairs(harmless) do
    it(row[1], function()
      local alice = peer.join()
      alice:send(row[2])
      if row[3] then
        alice:expect_error(row[3], 9, row[4])
      end
      alice:expect_nothing()
    end)
  end

  it("a request id up to 2^53, in any order, twice too", function()
    local alice = peer.join()
    for _, id in ipairs { 1 << 53, 1, 500, 500, 2 } do
      alice:send { wamp.SUBSCRIBE, id, {}, "com.x" }
      alice:expect { wamp.SUBSCRIBED, id, wamp.id }
    end
  end)

  it("an integral float in the place of an id", function()
    local alice = peer.join()
    alice:send { wamp.SUBSCRIBE, 123.0, {}, "com.x" }
    alice:expect { wamp.SUBSCRIBED, 123, wamp.id }
    alice:send { wamp.SUBSCRIBE, 2.0 ^ 40, {}, "com.x" }
    alice:expect { wamp.SUBSCRIBED, 1 << 40, wamp.id }
  end)
end)
