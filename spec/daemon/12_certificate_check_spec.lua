-- Option certificate_check: files of certificates that change are read again.
-- SPDX-License-Identifier: MIT
local certificates = require "certificates"
local daemon = require "daemon"
local json = require "json"
local stream = require "stream"
local wamp = require "wamp"

local first, second = certificates.issue "check-1", certificates.issue "check-2"
local folder = daemon.folder() .. "/check"

local function shell(command, ...)
  assert(os.execute(command:format(...)))
end

--- A new version of the folder, as programs make them that swap a link.
local function link(version)
  shell("ln -sfn %s %s/new && mv -T %s/new %s/live", version, folder, folder, folder)
end

local function copy(pair, to)
  shell("mkdir -p %s/%s && cp %s %s/%s/cert.pem && cp %s %s/%s/key.pem", folder, to,
    pair.certificate, folder, to, pair.key, folder, to)
end

describe("the check of certificates", function()
  local nexusd, audit

  before_each(function()
    shell("rm -rf %s", folder)
    copy(first, "one")
    copy(second, "two")
    link "one"
    audit = os.tmpname()
    nexusd = daemon.start { config = {
      listen = { { address = "tls://127.0.0.1:0", tls = { cert = folder .. "/live/cert.pem",
        key = folder .. "/live/key.pem" } } },
      realms = { realm1 = { policy = "open" } }, certificate_check = "20ms",
      audit = { file = audit },
    } }
  end)

  after_each(function()
    wamp.close_all()
    nexusd:stop()
    os.remove(audit)
  end)

  local function shows(pair)
    local bytes = assert(stream.open { port = nexusd:port(), tls = true })
    local subject = bytes.sock:getpeercertificate():pem():gsub("%s", "")
    bytes:close()
    return subject == assert(io.open(pair.certificate)):read("a"):gsub("%s", "")
  end

  local function reloads()
    local list = {}
    for line in io.lines(audit) do
      local entry = json.decode(line)
      if entry.event == "reload" then
        list[#list + 1] = ("%s by %s: %s"):format(entry.what, entry.by, entry.result)
      end
    end
    return list
  end

  it("sees a link that points elsewhere, under sessions that stay", function()
    local client = wamp.connect { transport = "wss", serializer = "json", port = nexusd:port() }
    client:join("realm1")
    assert.is_true(shows(first))
    link "two"
    nexusd:wait_for_log("tls-reloaded")
    assert(daemon.eventually(function() return shows(second) end))
    client:subscribe("com.x")
    assert(daemon.eventually(function() return #reloads() == 1 end))
    assert.same({ "tls by file: ok" }, reloads())
  end)

  it("waits until all files are there", function()
    shell("cp %s %s/one/cert.pem", second.certificate, folder)
    shell("sleep 0.05")
    shell("cp %s %s/one/key.pem", second.key, folder)
    nexusd:wait_for_log("tls-reloaded")
    assert(daemon.eventually(function() return shows(second) end))
    assert.is_nil(nexusd:log():find("tls-not-reloaded", 1, true))
  end)

  it("keeps what it has when the new files are bad", function()
    shell("cp %s %s/one/cert.pem", second.certificate, folder)
    assert.matches("private key .-/live/key%.pem: does not belong to the certificate",
      nexusd:wait_for_log("tls-not-reloaded"))
    assert.is_true(shows(first))
    shell("cp %s %s/one/key.pem", second.key, folder)
    nexusd:wait_for_log("tls-reloaded")
    assert(daemon.eventually(function() return shows(second) end))
    assert(daemon.eventually(function() return #reloads() == 2 end))
    assert.same({ "tls by file: failed", "tls by file: ok" }, reloads())
  end)

  it("reads nothing again that is the same", function()
    shell("touch %s/one/cert.pem && cp %s/one/key.pem %s/x && mv %s/x %s/one/key.pem", folder,
      folder, folder, folder, folder)
    shell("sleep 0.5")
    assert.is_nil(nexusd:log():find("reloaded", 1, true))
  end)
end)
