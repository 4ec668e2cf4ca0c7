-- What nexusd passwd and keygen print goes into a users file, and lets its users in: every method.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local daemon = require "daemon"
local json = require "json"
local mime = require "mime"
local policies = require "policies"
local wamp = require "wamp"

local nexusd_path = os.getenv "NEXUSD"
local password = "open sesame"
local nonce = "AAECAwQFBgcICQoLDA0ODw=="

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  assert(pipe:close(), command)
  return text
end

local function passwd(flags)
  return output_of(("printf '%%s\n' '%s' | '%s' passwd %s"):format(password, nexusd_path, flags))
end

--- A key pair of `nexusd keygen`, as openssl reads private ones.
local function keygen(name)
  local path = ("%s/%s"):format(daemon.folder(), name)
  local public = output_of(("'%s' keygen --out %s"):format(nexusd_path, path)):match("%x+\n")
  local seed = assert(io.open(path)):read("l")
  output_of(("printf 302e020100300506032b657004220420%s | xxd -r -p | openssl pkey -inform DER "
    .. "-out %s.pem"):format(seed, path))
  return path .. ".pem", public:sub(1, 64)
end

local key, public = keygen "device.key"
local other_key = keygen "other.key"
local ca = certificates.issue "passwd-CA"
local badge = certificates.issue("badge", ca)

--- The users, by what they are made with; one user has several records.
local made = {
  ["ticket"] = "--stdin --method ticket --memory 1024",
  ["ticket-pbkdf2"] = "--stdin --method ticket --kdf pbkdf2 --iterations 5000",
  ["cra"] = "--stdin --method wampcra --iterations 5000",
  ["cra-plain"] = "--stdin --method wampcra --plain",
  ["scram"] = "--stdin --method scram --kdf pbkdf2 --iterations 5000",
  ["device"] = "--method cryptosign --pubkey " .. public,
  ["badge"] = "--method tls --cert " .. badge.certificate,
}

local function derived(extra)
  local text = output_of(("openssl kdf -keylen %d -kdfopt digest:SHA256 -kdfopt 'pass:%s' -kdfopt "
    .. "'salt:%s' -kdfopt iter:%d PBKDF2"):format(extra.keylen, password, extra.salt,
    extra.iterations)):gsub("[^%x]", "")
  return policies.base64((text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end)))
end

local function sign_cra(is_right)
  return function(extra)
    local secret = extra.salt and derived(extra) or password
    return policies.sign_cra(is_right and secret or "wrong", extra.challenge)
  end
end

local function sign_scram(binding)
  return function(is_right)
    return function(extra)
      return (policies.sign_scram("scram", is_right and "'" .. password .. "'" or "wrong",
        mime.unb64(extra.salt), nonce, extra, binding))
    end
  end
end

--- Who logs in by what: the client's part, done right or wrong.
local logins = {
  { "ticket", "ticket", function(is_right)
    return function() return is_right and password or "open barley" end
  end },
  { "ticket-pbkdf2", "ticket", function(is_right)
    return function() return is_right and password or "open barley" end
  end },
  { "cra", "wampcra", sign_cra },
  { "cra-plain", "wampcra", sign_cra },
  { "scram", "wamp-scram", sign_scram(nil), { nonce = nonce } },
  { "scram", "scram", sign_scram "", { nonce = nonce } },
  { "device", "cryptosign", function(is_right)
    return function(extra)
      return policies.sign_key(is_right and key or other_key, extra.challenge)
    end
  end, { pubkey = public } },
}

for _, format in ipairs { "lua", "json" } do
  describe("a users file in " .. format .. ", made by nexusd passwd and keygen,", function()
    local nexusd

    local function users_file()
      local entries = {}
      for user, flags in pairs(made) do
        entries[#entries + 1] = passwd(("--user %s --format %s %s"):format(user, format, flags))
      end
      local path = ("%s/users.%s"):format(daemon.folder(), format)
      local file = assert(io.open(path, "w"))
      if format == "lua" then
        file:write("return { users = {\n", table.concat(entries), "}, roles = { user = {} } }\n")
      else
        for i, entry in ipairs(entries) do
          entries[i] = entry:match("^%s*{(.*)}%s*$")
        end
        local text = '{"users":{' .. table.concat(entries, ",") .. '},"roles":{"user":[]}}'
        assert(json.decode(text))
        file:write(text)
      end
      assert(file:close())
      return path
    end

    setup(function()
      local cert = daemon.certificate()
      nexusd = daemon.start { config = {
        listen = { { address = "tls://127.0.0.1:0", tls = { cert = cert.cert, key = cert.key,
          client_ca = ca.certificate, client_certificate = "optional" } } },
        logins = { max_delay = 0 },
        realms = { realm1 = { policy = "users", settings = { file = users_file() } } },
      } }
    end)

    teardown(function()
      nexusd:stop()
    end)

    after_each(function()
      wamp.close_all()
    end)

    local function connect(who)
      return wamp.connect { transport = "wss", serializer = "json", port = nexusd:port(),
        tls = { protocol = "any", certificate = who and who.certificate, key = who and who.key } }
    end

    for _, row in ipairs(logins) do
      local user, method, sign, authextra = table.unpack(row)
      it(("lets %s in by %s, and nobody with another credential"):format(user, method), function()
        for _, is_right in ipairs { true, false } do
          local client = connect()
          policies.hello(client, { authmethods = { method }, authid = user,
            authextra = authextra })
          policies.answer(client, method, sign(is_right))
          if is_right then
            local welcome = policies.expect_welcome(client)
            assert.same({ user, "user", method },
              { welcome.authid, welcome.authrole, welcome.authmethod })
          else
            client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
          end
        end
      end)
    end

    it("lets badge in by its certificate, and nobody with another one", function()
      local client = connect(badge)
      policies.hello(client, { authmethods = { "tls" } })
      assert.equal("badge", policies.expect_welcome(client).authid)
      client = connect(certificates.issue("other-badge", ca))
      policies.hello(client, { authmethods = { "tls" } })
      client:expect { wamp.ABORT, wamp.any, "wamp.error.authentication_denied" }
    end)
  end)
end
