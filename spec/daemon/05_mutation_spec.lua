-- Damaged configurations: never a crash, always one of two ends.
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"

local rounds = tonumber(os.getenv("NEXUS_MUTATIONS") or "60")
local seed = tonumber(os.getenv("NEXUS_SEED") or os.time())

local words = { "{", "}", "[", "]", "(", ")", "=", ",", "\"", "'", "--", "--[[", "]]", "\\", "\n",
  "\0", "\xff", "nil", "true", "0", "-1", "1e400", "0x7fffffffffffffff", "2^63", "return", "env",
  "function() end", "realms", "listen", "queue", "local x = ", ";", ":", "\"\\0\"", ("x"):rep(5000),
  ("{"):rep(300), "compat",
  "event_history", "uri", "99999999999999999999", "null", "\"\\u0000\"" }

local function mutate(text)
  for _ = 1, math.random(1, 6) do
    local at, len = math.random(1, #text), math.random(0, 12)
    local kind = math.random(4)
    local middle = ""
    if kind == 1 then
      middle = words[math.random(#words)]
    elseif kind == 2 then
      middle = string.char(math.random(0, 255))
    elseif kind == 3 then
      local from = math.random(1, #text)
      middle = text:sub(from, from + math.random(0, 60))
    end
    text = text:sub(1, at - 1) .. middle .. text:sub(at + len)
    if text == "" then
      text = " "
    end
  end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function check(path)
  local command = ("'%s' --config '%s' --print-config >'%s.out' 2>'%s.log' </dev/null"):format(
    os.getenv("NEXUSD"), path, path, path)
  local _, how, code = os.execute(command)
  local file = assert(io.open(path .. ".log", "rb"))
  local log = file:read("a")
  file:close()
  local words_of_failure = ("seed %d, file %s, %s %d:\n%s"):format(seed, path, how, code, log)
  assert.equal("exit", how, words_of_failure)
  assert.is_true(code == 0 or code == 78, words_of_failure)
  if code == 78 then
    for line in log:gmatch("[^\n]*\n") do
      assert.equal(path .. ":", line:sub(1, #path + 1), words_of_failure)
      assert.not_matches("%c", line:sub(1, -2), words_of_failure)
    end
    assert.not_equal("", log, words_of_failure)
  end
end

local lua_text = [[
local port = 8080
return {
  listen = { "127.0.0.1:" .. port, { address = "unix:/tmp/x.sock", unix_mode = "0600" } },
  realms = {
    realm1 = { policy = "open", queue = { messages = 10, overflow = "conflate" } },
    ["com.acme"] = { policy = "open", uri_check = "strict", compat = "nexus", trustlevel = 3 },
    stores = { policy = "open", roles = { "broker", "dealer" },
      reserved_prefixes = { "wamp", "x.y" }, retained_max_bytes = "5GiB",
      event_history = { { uri = "com.acme" },
        { uri = "com..x", match = "wildcard", limit = 5, max_age = "1d", max_bytes = "1MiB" } } },
  },
  realm_template = { policy = "open", goodbye_timeout = 0.5 },
  limits = { max_message_size = "1MiB", ping_interval = "30s" },
  log = { level = env "NEXUS_LEVEL" or "info" }, -- a comment
  workers = 2,
}
]]

local json_text = [[
{ "websocket": { "address": ":8080", "keep_alive": 30, "allow_origins": ["a.example", "*"] },
  "rawsocket": { "unix_address": "/tmp/x.sock", "max_msg_len": 65536, "out_queue_size": 9 },
  "log_path": "",
  "router": { "realms": [ { "uri": "realm1", "anonymous_auth": true, "strict_uri": true,
      "enable_meta_kill": true, "event_history": [ { "topic": "a", "match": "exact", "limit": 3 },
        { "topic": "b.", "match": "prefix", "limit": 5000 } ] } ],
    "realm_template": { "anonymous_auth": true }, "debug": false } }
]]

describe("a damaged configuration", function()
  for kind, text in pairs { lua = lua_text, json = json_text } do
    it("in " .. kind .. " is refused in lines of its own, or taken", function()
      math.randomseed(seed)
      local path = daemon.folder() .. "/damaged." .. kind
      for _ = 1, rounds do
        write(path, mutate(text))
        check(path)
      end
    end)
  end
end)
