#!/usr/bin/env lua5.4
-- Writes the first inputs of the fuzz targets, from which the fuzzers go on:
--
--   lua5.4 spec/fuzz/seeds.lua          writes into spec/fuzz/corpus, from the root of the tree
--
-- Values are encoded with the serializers of spec/support. The seeds of the core come from the
-- simulation (sim --record); inputs with other names were found by the fuzzers and are kept.
-- SPDX-License-Identifier: MIT
-- luacheck: no max line length
package.path = "spec/support/?.lua;" .. package.path

local value = require "value"
local codecs = {
  json = require "json",
  msgpack = require "msgpack",
  cbor = require "cbor",
}
local order = { "json", "msgpack", "cbor" }
local list, null, binary = value.list, value.null, value.binary

local function write(target, name, bytes)
  local path = ("spec/fuzz/corpus/%s/seed_%s"):format(target, name)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

-- One of each message that a router receives, and some that it sends.
local features = { features = { payload_passthru_mode = true, call_canceling = true } }
local hello = {
  roles = { publisher = features, subscriber = { features = { payload_transparency = true } },
            caller = {}, callee = features },
  authid = null, authmethods = { "anonymous", "ticket" }, authextra = { pubkey = "00ff" },
  agent = "fuzz", x_team = { "red", 3, true },
}
local publish = {
  acknowledge = true, exclude_me = false, eligible = { 1, 2 ^ 53 | 0 }, exclude = list {},
  eligible_authid = { "alice" }, exclude_authrole = { "anonymous" }, exclude_x_team = { "red", 3 },
  forward_for = { { session = 1, authid = "a", authrole = "b" } }, rkey = "k", retain = false,
  disclose_me = false, ppt_scheme = "wamp", ppt_serializer = "cbor", ppt_cipher = "xsalsa20poly1305",
  ppt_keyid = "id", transaction_hash = "0x00",
}
local register = { match = "wildcard", invoke = "roundrobin", concurrency = 2,
                   forward_timeout = true, disclose_caller = false, force_reregister = false }
local call = { timeout = 1000, receive_progress = true, disclose_me = true, runmode = "partition",
               rkey = "r", caller = 7, caller_authid = "a", caller_authrole = "b",
               enc_algo = "cryptobox", enc_serializer = "json", enc_key = "k" }
local payload = { 1, -1, 0.5, "text", true, null, binary "\0\xff", list {}, {}, { k = { "v" } },
                  1 << 40, -(1 << 40), 1e300 }

local messages = {
  hello = { 1, "realm1", hello },
  hello_null = { 1, null, { roles = { caller = {} } } },
  welcome = { 2, 9129137332, { roles = { broker = {}, dealer = {} } } },
  abort = { 3, { message = "no" }, "wamp.error.protocol_violation", payload },
  challenge = { 4, "wampcra", { challenge = "{}" } },
  authenticate = { 5, "signature", {} },
  goodbye = { 6, {}, "wamp.close.normal" },
  error = { 8, 68, 1, {}, "com.example.error", payload, { k = 1 } },
  publish = { 16, 1, publish, "com.example.topic", payload, { k = payload } },
  publish_raw = { 16, 1, { enc_algo = "cryptobox" }, "com.example.topic", binary "octets" },
  subscribe = { 32, 1, { match = "prefix", get_retained = true, nkey = "n" }, "com.example." },
  subscribed = { 33, 1, 2 },
  unsubscribe = { 34, 2, 1, {} },
  event = { 36, 1, 2, { topic = "com.x", publisher = 1, retained = true, trustlevel = 0 }, payload },
  call = { 48, 1, call, "com.example.procedure", payload, { k = "v" } },
  cancel = { 49, 1, { mode = "killnowait" } },
  result = { 50, 1, { progress = true }, payload },
  register = { 64, 1, register, "com..procedure" },
  unregister = { 66, 2, 1 },
  unregistered = { 67, 0, { registration = 1, reason = "wamp.error.unregistered" } },
  invocation = { 68, 1, 2, { procedure = "com.x", caller = 7 }, payload, { k = null } },
  interrupt = { 69, 1, { mode = "kill", reason = "wamp.error.canceled" } },
  yield = { 70, 1, { progress = false }, payload, { k = "v" } },
  event_received = { 337, 1 },
  depth = { 16, 1, {}, "com.x", { { { { { { { { { { { "deep" } } } } } } } } } } } },
}

-- What our encoders do not write: other spellings of the same, and mistakes.
local spellings = {
  json = {
    blanks = ' [ 16 , 1 , { "a" : [ ] , "b" : { } } ,\t"com.x" , [ 1.0 , 1e0 , -0 , 1E+2 ] ]\n',
    escapes = [==[[16,1,{},"com.\u0078",["\ud83d\ude00","\ud800","\"\\\/\b\f\n\r\t","\u0000AP8="]]]==],
    numbers = "[16,1.0,{},\"com.x\",[18446744073709551616,-9223372036854775808,-9223372036854775809,"
      .. "1e400,5e-324,0.1,123456789012345678901234567890]]",
    mistakes = '[16,01,{"a":1,},"com.x",[NaN]]',
    duplicates = '[16,1,{"acknowledge":true,"acknowledge":false},"com.x"]',
  },
  msgpack = {
    ext = "\x95\x10\x01\x80\xa5com.x\x94\xd6\xff\x00\x00\x00\x01\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01"
      .. "\xc7\x0c\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xd4\x05x",
    keys = "\x95\x10\x01\x80\xa5com.x\x91\x85\x01\x02\xc0\x03\xc3\x04\xc4\x01a\x05\xca\x3f\x80\x00\x00\x06",
    wide = "\xdd\x00\x00\x00\x05\xcc\x10\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xde\x00\x00\xd9\x05com.x"
      .. "\xdc\x00\x01\xdb\x00\x00\x00\x02\xff\xfe",
    floats = "\x95\x10\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x80\xa5com.x\x92\xcb\x7f\xf0\x00\x00\x00\x00\x00"
      .. "\x00\xca\x7f\xc0\x00\x00",
  },
  cbor = {
    indefinite = "\x9f\x10\x01\xbf\x61a\x9f\xff\xff\x7f\x63com\x62.x\xff\x9f\x5f\x41\x00\x41\xff\xff\xff\xff",
    tags = "\xd9\xd9\xf7\x85\x10\x01\xa0\x65com.x\x85\xc0\x61t\xc1\x01\xc2\x49\x01\x00\x00\x00\x00\x00\x00"
      .. "\x00\x00\xc3\x41\x01\xd8\x20\x61u",
    floats = "\x85\x10\xf9\x3c\x00\xa0\x65com.x\x85\xf9\x7c\x00\xfa\x7f\xc0\x00\x00\xf9\x00\x01\xf7\xf8\x20",
    keys = "\x85\x10\x01\xa0\x65com.x\x81\xa5\x01\x02\x20\x03\xf5\x04\x41a\x05\xf9\x3c\x00\x06",
  },
}

for _, name in ipairs(order) do
  for key, message in pairs(messages) do
    write(name, key, codecs[name].encode(message))
  end
  for key, bytes in pairs(spellings[name]) do
    write(name, key, bytes)
  end
end

-- fuzz_options: serializer, index of the message type in the table of messages, dict.
local dicts = { { "hello", 0, hello }, { "publish", 7, publish }, { "event", 13, messages.event[4] },
                { "subscribe", 9, messages.subscribe[3] }, { "call", 14, call },
                { "cancel", 15, messages.cancel[3] }, { "register", 17, register },
                { "invocation", 21, messages.invocation[4] }, { "yield", 23, messages.yield[3] },
                { "error", 6, { x_own = 1, _y = "z", ppt_scheme = "x_scheme" } } }
for i, name in ipairs(order) do
  for _, entry in ipairs(dicts) do
    write("options", entry[1] .. "_" .. name,
          string.char(i - 1, entry[2]) .. codecs[name].encode(entry[3]))
  end
end

-- fuzz_auth: serializer, method, facts, then record, authid, authextra, signature, Extra. The
-- methods are in the order of the table in fuzz_auth.c.
local key32 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
local pubkey = "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664"
local nonce = "AAECAwQFBgcICQoLDA0ODw=="
local scram_record = { authrole = "r", kdf = "argon2id13", salt = "oKGio6SlpqeoqaqrrK2urw==",
                       iterations = 4, memory = 512, stored_key = key32, server_key = binary(("k"):rep(32)),
                       compat_stored_key = key32, compat_server_key = key32 }
local proof = { nonce = nonce, channel_binding = "tls-unique", cbind_data = "dHdlbHZlIGJ5dGVz" }
local logins = {
  anonymous = { 0, 0, { authrole = "guest", expires = 2 ^ 40, trustlevel = 1 } },
  ticket = { 1, 0, { authrole = "r", ticket = { "a", "b" } }, "joe", {}, "a" },
  ticket_known = { 1, 64, null, "joe", {}, "secret" },
  ticket_nobody = { 1, 65, null, "joe", {}, "secret" },
  ticket_pbkdf2 = { 1, 64, { authrole = "r", ticket_hash = "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$"
                                                           .. "MDEyMzQ1Njc4OWFiY2RlZg" }, "joe", {}, "a" },
  ticket_argon2 = { 1, 0, { authrole = "r", ticket_hash = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
                                                          .. "MDEyMzQ1Njc4OWFiY2RlZg" }, "joe", {}, "a" },
  wampcra = { 2, 0, { authrole = "r", authid = "x", secret = key32, salt = "s", iterations = 1000, keylen = 32,
                      extra = { a = { 1 } }, attributes = { org = "o" }, authprovider = "p" }, "joe", {}, key32 },
  wampcra_nobody = { 2, 1, null, "j\"o\\e", {}, key32 },
  wamp_scram = { 3, 2, scram_record, "j,o=e", { nonce = nonce, channel_binding = "tls-unique" }, key32, proof },
  wamp_scram_known = { 3, 0, null, "joe", { nonce = nonce, channel_binding = null }, key32, { nonce = nonce } },
  wamp_scram_nobody = { 3, 3, null, "joe", { nonce = nonce, channel_binding = "tls-exporter" }, key32, {} },
  scram = { 4, 0, null, "joe", { nonce = nonce }, key32, {} },
  cryptosign = { 5, 10, { authrole = "r", pubkeys = list { pubkey, binary(("p"):rep(32)) } }, "",
                 { pubkey = pubkey, challenge = pubkey, channel_binding = "tls-exporter" }, pubkey:rep(3), {} },
  cryptosign_bare = { 5, 2, null, "", { pubkey = pubkey, channel_binding = "tls-unique" }, pubkey:rep(2) },
  cryptosign_required = { 5, 16, null, "joe", { pubkey = pubkey }, "" },
  tls = { 6, 4, { authrole = "r", fingerprints = list { pubkey, "00:11:22:33:44:55:66:77:88:99:"
                                                                 .. "aa:bb:cc:dd:ee:ff:00:11:22:33" } } },
}
for i, name in ipairs(order) do
  local function dict(from)
    return (from == nil or from == null) and "" or codecs[name].encode(from)
  end
  for key, login in pairs(logins) do
    write("auth", key .. "_" .. name, string.char(i - 1, login[1], login[2])
      .. (">s2s2s2s2"):pack(dict(login[3]), login[4] or "", dict(login[5]), login[6] or "") .. dict(login[7]))
  end
end

-- fuzz_rawsocket: our offer, the handshake, headers.
local headers = "\0\0\0\x10\1\0\0\4\2\0\0\4\8\0\0\0\0\xff\xff\xff\3\0\0\0\16\0\0\0\8\0\0\1"
for name, head in pairs {
  json = "\xf7\x7f\xf1\0\0", msgpack = "\x07\x7f\x02\0\0", cbor = "\x4c\x7f\x73\0\0",
  too_short = "\x0f\x7f\x01\0\0", unknown = "\xf7\x7f\xf5\0\0", reserved = "\xf7\x7f\xf1\1\0",
  full = "\xff\x7f\xf1\0\0", silent = "\xf7\x7f\xf0\0\0", http = "\xf7GET ",
} do
  write("rawsocket", name, head .. headers)
end

-- fuzz_uri
for name, lines in pairs {
  prefixes = { "p", "pcom", "pcom.", "pcom.a", "pcom.ab", " com.abc", " com.a", "pcom.a", " com.a" },
  wildcards = { "wcom..c", "wcom.a.", "w..", "wcom.a.c", "w.a.c", " com.a.c", " com.b.c", " x.a.c" },
  all = { "ecom.a.b", "pcom.a", "wcom..b", "w.a.b", "pcom.a.b", " com.a.b", "ecom.a.b", " com.a.b" },
  grammar = { " com.a b", " com..b", " .", " wamp.x", " com.\u{a0}", " com.\u{e9}", " com#", "pA.b" },
  none = { "w", "p", "e", " ", " a", "w" },
} do
  write("uri", name, table.concat(lines, "\n"))
end

-- fuzz_net: what goes before, the length of pieces, octets. Frames of a WebSocket are masked with
-- zeros, so that they can be read here.
local function frame(head, text)
  return string.char(head, 0x80 | #text) .. "\0\0\0\0" .. text
end

local host = "Host: a\r\n"
local upgrade = host .. "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
for name, octets in pairs {
  status = "\0\0GET / HTTP/1.1\r\n" .. host .. "\r\n",
  status_json = "\0\7GET /status.json HTTP/1.1\r\n" .. host .. "Connection: close\r\n\r\n",
  not_found = "\0\0GET /nothing HTTP/1.0\r\n\r\n",
  post = "\0\0POST / HTTP/1.1\r\n" .. host .. "Content-Length: 3\r\n\r\nabc",
  two_requests = "\0\0" .. ("GET / HTTP/1.1\r\n" .. host .. "\r\n"):rep(2),
  upgrade = "\0\0GET / HTTP/1.1\r\n" .. upgrade .. "Sec-WebSocket-Protocol: x, wamp.2.msgpack\r\n\r\n",
  no_protocol = "\0\0GET / HTTP/1.1\r\n" .. upgrade .. "\r\n",
  wrong_path = "\0\3GET /x HTTP/1.1\r\n" .. upgrade .. "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n",
  garbage = "\0\0\1\2\3\4\5", tls = "\0\0\22\3\1\0\5hello", nothing = "\0\0",
  ws_text = "\1\0" .. frame(0x81, "[1]"), ws_bye = "\1\0" .. frame(0x81, "bye"),
  ws_ping = "\1\0" .. frame(0x89, "ping") .. frame(0x8a, "") .. frame(0x81, "[2]"),
  ws_close = "\1\0" .. frame(0x88, "\3\232") .. frame(0x81, "late"),
  ws_pieces = "\1\5" .. frame(0x01, "[1") .. frame(0x89, "") .. frame(0x80, "]"),
  ws_bad_utf8 = "\1\0" .. frame(0x81, "\xff\xfe"), ws_wrong_type = "\1\0" .. frame(0x82, "[1]"),
  ws_unmasked = "\1\0\x81\3[1]", ws_reserved = "\1\0" .. frame(0xc1, "[1]"),
  ws_long = "\1\0\x81\xff\0\0\0\1\0\0\0\0\0\0\0\0abc",
  ws_binary = "\2\0" .. frame(0x82, "\x81\1"), ws_binary_text = "\2\0" .. frame(0x81, "[1]"),
  raw_message = "\3\0\0\0\0\2\x91\1", raw_pieces = "\3\1\0\0\0\2\x91\1\0\0\0\0",
  raw_ping = "\3\0\1\0\0\4ping\2\0\0\0\0\0\0\3bye", raw_long = "\3\0\0\1\0\0abc",
  raw_reserved = "\3\0\x13\0\0\0", raw_twice = "\3\0\x7f\xf2\0\0",
  raw_handshake = "\0\0\x7f\xf3\0\0", raw_reserved_bits = "\0\0\x7f\xf1\1\0",
  raw_unknown = "\0\0\x7f\xf5\0\0", raw_cut = "\0\0\x7f\xf1",
} do
  write("net", name, octets)
end
