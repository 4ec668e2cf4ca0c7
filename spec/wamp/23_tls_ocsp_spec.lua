--- TLS: OCSP responses that are shown with the certificate (options tls.ocsp).
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local daemon = require "daemon"

local base = daemon.folder()

local function run(command, ...)
  local line = ("cd '%s' && "):format(base) .. command:format(...) .. " >>openssl.log 2>&1"
  assert(os.execute(line), "failed: " .. line)
end

local ca = certificates.issue "OCSP-CA"
local plain, named = certificates.issue("ocsp-plain", ca), certificates.issue("ocsp-named", ca)

local function serial_of(pair)
  local pipe = assert(io.popen("openssl x509 -noout -serial -in " .. pair.certificate))
  local serial = pipe:read("a"):match("=(%x+)")
  pipe:close()
  return serial
end

--- Makes a response of the CA about the certificate; returns its path.
local function respond(name, pair, status)
  local index = assert(io.open(base .. "/index.txt", "w"))
  index:write(("%s\t400101000000Z\t%s\t%s\tunknown\t/CN=x\n"):format(status or "V",
    status == "R" and "200101000000Z" or "", serial_of(pair)))
  index:close()
  run("openssl ocsp -issuer %s -cert %s -reqout req.der", ca.certificate, pair.certificate)
  run("openssl ocsp -index index.txt -CA %s -rsigner %s -rkey %s -reqin req.der -respout %s.der "
    .. "-ndays 2", ca.certificate, ca.certificate, ca.key, name)
  return ("%s/%s.der"):format(base, name)
end

local good, about_named = respond("good", plain), respond("about-named", named)
local live = base .. "/live.der"

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function copy(from)
  write(live, assert(io.open(from, "rb")):read("a"))
end

local function config()
  return { certificate_check = 0, listen = { { address = "tls://127.0.0.1:0", tls = {
    cert = plain.certificate, key = plain.key, ocsp = live, certificates = {
      { host = "named", cert = named.certificate, key = named.key, ocsp = about_named },
      { host = "bare", cert = named.certificate, key = named.key },
    } } } }, realms = { realm1 = { policy = "open" } } }
end

describe("An OCSP response", function()
  local nexusd

  before_each(function()
    copy(good)
  end)

  after_each(function()
    if nexusd then
      nexusd:stop()
      nexusd = nil
    end
  end)

  --- What a client that asks sees, verified: "good", "none", ...
  local function status(name, more)
    local pipe = assert(io.popen(("openssl s_client -connect 127.0.0.1:%d -servername %s -status "
      .. "-CAfile %s %s </dev/null 2>&1"):format(nexusd:port(), name, ca.certificate, more or "")))
    local text = pipe:read("a")
    pipe:close()
    return text:find("OCSP response: no response sent", 1, true) and "none"
      or text:match("Cert Status: (%w+)") or text
  end

  it("is shown to clients that ask, with each version of TLS", function()
    nexusd = daemon.start { config = config() }
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      assert.equal("good", status("localhost", version))
      assert.equal("good", status("named", version))
      assert.equal("none", status("bare", version))
    end
  end)

  it("changes with the certificates, and bad ones change nothing", function()
    nexusd = daemon.start { config = config() }
    write(live, "nonsense")
    nexusd:signal("HUP")
    assert.matches("ocsp .-live%.der: is no OCSP response in DER",
      nexusd:wait_for_log("tls-not-reloaded"))
    assert.equal("good", status("localhost"))
    local response = assert(io.open(good, "rb")):read("a")
    local count = 0
    write(live, (response:gsub("%d+Z", function(time) -- produced at, this update, next update
      count = count + 1
      return count == 3 and "2020" .. time:sub(5) or nil
    end)))
    nexusd:signal("HUP")
    nexusd:wait_for_log("tls-reloaded")
    nexusd:wait_for_log("ocsp-old")
    assert.equal("none", status("localhost"))
    assert.equal("good", status("named"))
  end)

  it("is checked before the router starts", function()
    for path, words in pairs {
      [about_named] = "is not about this certificate",
      [respond("revoked", plain, "R")] = "says that the certificate is not good",
      [plain.certificate] = "is no OCSP response in DER",
      ["/dev/zero"] = "longer than 64 KiB",
    } do
      local all = config()
      all.listen[1].tls.ocsp = path
      local program = daemon.spawn { config = all }
      assert.equal(1, program:wait())
      assert.matches(("ocsp %s: %s"):format(path, words), program:log(), 1, true)
    end
  end)
end)
