--- Routers with policies, for specs.
--
--   local nexusd = policies.start([[ return { api = 1 } ]])
--   local alice = policies.connect(nexusd)
--   policies.login_ticket(alice, "alice", "secret")
-- SPDX-License-Identifier: MIT
local daemon = require "daemon"
local wamp = require "wamp"

local policies = {}

local count = 0

--- Writes files of a policy into a folder of their own; returns its path.
function policies.write(files)
  if type(files) == "string" then
    files = { ["policy.lua"] = files }
  end
  count = count + 1
  local folder = ("%s/policy%d/acme"):format(daemon.folder(), count)
  for name, text in pairs(files) do
    local path = folder .. "/" .. name
    assert(os.execute("mkdir -p '" .. path:match("(.*)/") .. "'"))
    local file = assert(io.open(path, "wb"))
    file:write(text)
    assert(file:close())
  end
  return folder
end

--- A configuration with one realm and that policy. Answers to failed logins are not late, unless
-- options.logins says so.
function policies.config(files, options)
  local config = {
    listen = options and options.listen or { "127.0.0.1:0" },
    logins = options and options.logins or { max_delay = 0 },
    workers = options and options.workers or 1,
    realms = { realm1 = { policy = policies.write(files) } },
  }
  for name, value in pairs(options and options.realm or {}) do
    config.realms.realm1[name] = value
  end
  return config
end

function policies.start(files, options)
  return daemon.start { config = policies.config(files, options) }
end

function policies.connect(nexusd, serializer)
  return wamp.connect { transport = "ws", serializer = serializer or "json", port = nexusd:port() }
end

--- HELLO with these details; the answer is for the caller to expect.
function policies.hello(client, details, realm)
  local all = { roles = wamp.roles() }
  for key, value in pairs(details or {}) do
    all[key] = value
  end
  client:send { wamp.HELLO, realm or "realm1", all }
end

--- The WELCOME that must come now.
function policies.expect_welcome(client)
  local session, welcome = client:expect {
    wamp.WELCOME, wamp.id, wamp.capture(wamp.including {}) }
  client.session, client.welcome, client.last_id = session, welcome, 0
  return welcome
end

--- CHALLENGE and the answer to it, which `sign` makes out of Extra.
function policies.answer(client, method, sign)
  local extra = client:expect { wamp.CHALLENGE, method, wamp.capture(wamp.including {}) }
  client:send { wamp.AUTHENTICATE, sign(extra), wamp.dict {} }
end

function policies.try_ticket(client, authid, ticket)
  policies.hello(client, { authmethods = { "ticket" }, authid = authid })
  policies.answer(client, "ticket", function() return ticket end)
end

function policies.login_ticket(client, authid, ticket)
  policies.try_ticket(client, authid, ticket)
  return policies.expect_welcome(client)
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  assert(pipe:close(), command)
  return (text:gsub("%s+$", ""))
end

--- HMAC-SHA256 in base64, as wampcra wants it.
function policies.sign_cra(secret, text)
  return output_of(("printf '%%s' '%s' | openssl dgst -sha256 -hmac '%s' -binary | base64 -w0")
    :format(text, secret))
end

---- SCRAM ----

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function openssl(input, arguments)
  return unhex(output_of(("printf '%%s' '%s' | xxd -r -p | openssl %s -binary | xxd -p -c 200")
    :format(hex(input), arguments)))
end

local function hmac(key, text)
  return openssl(text, "dgst -sha256 -mac HMAC -macopt hexkey:" .. hex(key))
end

local function sha256(text)
  return openssl(text, "dgst -sha256")
end

local function base64(bytes)
  return output_of(("printf '%%s' '%s' | xxd -r -p | base64 -w0"):format(hex(bytes)))
end

local function salted(password, salt, iterations)
  return unhex((output_of(("openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:%s "
    .. "-kdfopt hexsalt:%s -kdfopt iter:%d PBKDF2"):format(password, hex(salt), iterations))
    :gsub(":", "")))
end

--- What a policy keeps of a password, as the text of a table of Lua.
function policies.scram_record(password, salt, iterations)
  local key = salted(password, salt, iterations)
  return ("{ authrole = 'user', kdf = 'pbkdf2', salt = '%s', iterations = %d, stored_key = '%s', "
    .. "server_key = '%s' }"):format(base64(salt), iterations,
    base64(sha256(hmac(key, "Client Key"))), base64(hmac(key, "Server Key")))
end

--- The proof for a CHALLENGE, and the signature by which the router proves itself. `binding` is
-- what is bound ("n,," without it): "p=tls-exporter,," and the octets.
function policies.sign_scram(authid, password, salt, nonce, extra, binding)
  local key = salted(password, salt, extra.iterations)
  local message = ("n=%s,r=%s,r=%s,s=%s,i=%d,c=%s,r=%s"):format(authid, nonce, extra.nonce,
    extra.salt, extra.iterations, base64(binding or "n,,"), extra.nonce)
  local client = hmac(key, "Client Key")
  local signature, proof = hmac(sha256(client), message), {}
  for i = 1, 32 do
    proof[i] = string.char(client:byte(i) ~ signature:byte(i))
  end
  return base64(table.concat(proof)), base64(hmac(hmac(key, "Server Key"), message))
end

--- A key pair of Ed25519: the name of the file with the private one, and the public one in hex.
function policies.make_key()
  count = count + 1
  local path = ("%s/key%d.pem"):format(daemon.folder(), count)
  assert(os.execute(("openssl genpkey -algorithm ed25519 -out '%s' 2>/dev/null"):format(path)))
  return path, output_of(("openssl pkey -in '%s' -pubout -outform DER | tail -c 32 | xxd -p -c 64")
    :format(path))
end

--- Whether a public key (hex) made that signature (hex), which has the message behind it.
function policies.is_signed(pubkey, signature)
  local path = daemon.folder() .. "/signed"
  -- what Ed25519 keys begin with in DER
  local der = "302a300506032b6570032100" .. pubkey
  for name, text in pairs { key = der, sig = signature:sub(1, 128), msg = signature:sub(129) } do
    assert(os.execute(("printf '%%s' '%s' | xxd -r -p >'%s.%s'"):format(text, path, name)))
  end
  return os.execute(("openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey %s.key -in %s.msg "
    .. "-sigfile %s.sig >/dev/null 2>&1"):format(path, path, path)) == true
end

policies.hex, policies.base64, policies.sha256 = hex, base64, sha256

--- The signature of a challenge (hex), followed by the challenge.
function policies.sign_key(path, challenge)
  local message = path .. ".challenge"
  assert(os.execute(("printf '%%s' '%s' | xxd -r -p >'%s'"):format(challenge, message)))
  return output_of(("openssl pkeyutl -sign -rawin -inkey '%s' -in '%s' | xxd -p -c 200")
    :format(path, message)) .. challenge
end

return policies
